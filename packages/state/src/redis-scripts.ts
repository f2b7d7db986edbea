/**
 * What happens inside Redis, each in one script and so all at once. Keys, and channels (which know no databases, so they name one):
 *
 *     scsipub:1:COLLECTION:ID        a record, see `record.ts`; Redis lets it expire by itself
 *     scsipub:1:index:COLLECTION     sorted set of ids by expiry in milliseconds, 0 for those that stay
 *     scsipub:1:stamp                the last version that was given out, or the number of the last removal
 *     scsipub:1:probe                written now and then to see that writing works
 *     scsipub:format                 FORMAT; without a number in its key, so that all versions find it
 *     scsipub:1:changes:DB:COLLECTION   channel: STAMP SP ID [SP RECORD], without the record when it is gone
 *
 * A script that finds itself past its deadline does nothing: commands that lay in a hung server's buffers must not be carried out
 * long after their caller was told that they failed.
 *
 * Left out: Redis Cluster, since a script there may touch the keys of one slot only.
 */

/** A number that was never given out before: the time in microseconds or more, so that a failover that loses writes repeats none either. */
const PRELUDE = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local function nextStamp(key)
  local last = tonumber(redis.call('GET', key) or '0') or 0
  return string.format('%.0f', math.max(last + 1, now))
end
local function versionOf(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'none' then return '0' end
  if kind ~= 'string' then return '-1' end
  local version, expiry = string.match(redis.call('GETRANGE', key, 0, 39), '^([1-9]%d*) (%d+) ')
  if not version or #version > 16 or tonumber(version) > 9007199254740991 then return '-1' end
  if #expiry > 16 or (#expiry > 1 and string.sub(expiry, 1, 1) == '0') then return '-1' end
  return version
end
`

/** KEYS record, index, stamp; ARGV id, expected version, ttl in ms or 0, json, deadline in µs, channel → [verdict, version]. */
export const PUT = `${PRELUDE}
if now > tonumber(ARGV[5]) then return {'late', '0'} end
local version = versionOf(KEYS[1])
if version ~= ARGV[2] then return {'conflict', version} end
local stamp = nextStamp(KEYS[3])
redis.call('SET', KEYS[3], stamp)
local expiry = '0'
if ARGV[3] ~= '0' then expiry = string.format('%.0f', math.floor(now / 1000) + tonumber(ARGV[3])) end
local record = stamp .. ' ' .. expiry .. ' ' .. ARGV[4]
redis.call('SET', KEYS[1], record)
if expiry ~= '0' then redis.call('PEXPIREAT', KEYS[1], expiry) end
redis.call('ZADD', KEYS[2], expiry, ARGV[1])
redis.call('PUBLISH', ARGV[6], stamp .. ' ' .. ARGV[1] .. ' ' .. record)
return {'ok', stamp}
`

/** KEYS record, index, stamp; ARGV id, expected version, deadline in µs, channel → [verdict, version]. Works without free memory. */
export const REMOVE = `${PRELUDE}
if now > tonumber(ARGV[3]) then return {'late', '0'} end
local version = versionOf(KEYS[1])
if version ~= ARGV[2] then return {'conflict', version} end
if version == '0' then return {'ok', '0'} end
local stamp = nextStamp(KEYS[3])
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.pcall('SET', KEYS[3], stamp)
redis.call('PUBLISH', ARGV[4], stamp .. ' ' .. ARGV[1])
return {'ok', stamp}
`

/**
 * KEYS format, probe, stamp, then the indexes; ARGV the format, '1' to write the probe, then for each index the prefix of its records and its channel →
 * [verdict, µs since 1970 or the format that is there]. Tells of what has expired,
 * and mends the index where somebody has changed an expiry by hand.
 */
export const BEAT = `${PRELUDE}
local format = redis.call('GET', KEYS[1])
if format and format ~= ARGV[1] then return {'format', format} end
if ARGV[2] == '1' then
  if not format then redis.call('SET', KEYS[1], ARGV[1]) end
  redis.call('SET', KEYS[2], '1', 'PX', 60000)
end
for i = 4, #KEYS do
  local prefix, channel = ARGV[2 * i - 5], ARGV[2 * i - 4]
  local due = redis.call('ZRANGEBYSCORE', KEYS[i], 1, math.floor(now / 1000), 'LIMIT', 0, 500)
  for _, id in ipairs(due) do
    if redis.call('EXISTS', prefix .. id) == 0 then
      local stamp = nextStamp(KEYS[3])
      redis.call('ZREM', KEYS[i], id)
      redis.pcall('SET', KEYS[3], stamp)
      redis.call('PUBLISH', channel, stamp .. ' ' .. id)
    else
      local ttl = redis.call('PTTL', prefix .. id)
      redis.pcall('ZADD', KEYS[i], ttl < 0 and 0 or math.floor(now / 1000) + ttl, id)
    end
  end
end
return {'ok', string.format('%.0f', now)}
`
