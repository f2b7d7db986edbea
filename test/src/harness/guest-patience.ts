// Lines of shell for a guest whose machine, or whose server, may stand for a while: emulated machines share their processors with whatever else runs.

/** `disk` of test/guest/init.sh looks for 10 s: some minutes. */
export const PATIENT_DISK = `
eval "hasty_$(declare -f disk)"
disk() { local d; for _ in $(seq 30); do d=$(hasty_disk "$@"); [ -b "$d" ] && break; done; echo "$d"; }
`

/** open-iscsi drops a connection after 15 s of a login, or 5 s of a ping, without an answer: some minutes, in all that it is told of from now on. */
export const PATIENT_INITIATOR = `
sed -i -E 's/^(node\\.conn\\[0\\]\\.timeo\\.(login|noop_out)_timeout) *=.*/\\1 = 120/' /etc/iscsi/iscsid.conf
`
