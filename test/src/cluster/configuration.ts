// What an administrator writes down for a two-node cluster with one file system on a shared disk.

/** Node ids of corosync, and last bytes of addresses. */
export const NODES = { one: 1, two: 2 } as const
export type NodeName = keyof typeof NODES

/** The shared disk, by a name that is the same on both nodes; no other disk of theirs has such a name. */
export const DEVICE = '$(ls /dev/disk/by-id/wwn-* | head -n 1)'
export const MOUNT = '/data'

export const COROSYNC = `
totem {
  version: 2
  cluster_name: lab
  transport: knet
  token: 10000
}
nodelist {
  node {
    name: one
    nodeid: 1
    ring0_addr: 192.168.7.1
  }
  node {
    name: two
    nodeid: 2
    ring0_addr: 192.168.7.2
  }
}
quorum {
  provider: corosync_votequorum
  two_node: 1
}
logging {
  to_syslog: no
  to_logfile: yes
  logfile: /var/log/corosync/corosync.log
}`

/** Of Pacemaker: the agent with the settings that docs/clusters.md names, and the file system, which prefers node two. `device`: path of the disk. */
export const resources = (device: string) => `
<configuration>
  <crm_config>
    <cluster_property_set id="options">
      <nvpair id="options-stonith" name="stonith-enabled" value="true"/>
    </cluster_property_set>
  </crm_config>
  <nodes/>
  <resources>
    <primitive id="fence" class="stonith" type="fence_scsi">
      <instance_attributes id="fence-attributes">
        <nvpair id="fence-devices" name="devices" value="${device}"/>
        <nvpair id="fence-aptpl" name="aptpl" value="1"/>
        <nvpair id="fence-hosts" name="pcmk_host_list" value="one two"/>
        <nvpair id="fence-reboot" name="pcmk_reboot_action" value="off"/>
      </instance_attributes>
      <meta_attributes id="fence-meta">
        <nvpair id="fence-provides" name="provides" value="unfencing"/>
      </meta_attributes>
    </primitive>
    <primitive id="files" class="ocf" provider="heartbeat" type="Filesystem">
      <instance_attributes id="files-attributes">
        <nvpair id="files-device" name="device" value="${device}"/>
        <nvpair id="files-directory" name="directory" value="${MOUNT}"/>
        <nvpair id="files-type" name="fstype" value="ext4"/>
      </instance_attributes>
      <operations>
        <op id="files-start" name="start" interval="0" timeout="120s"/>
        <op id="files-stop" name="stop" interval="0" timeout="120s"/>
        <op id="files-monitor" name="monitor" interval="20s" timeout="60s"/>
      </operations>
    </primitive>
  </resources>
  <constraints>
    <rsc_location id="files-prefer" rsc="files" node="two" score="100"/>
  </constraints>
</configuration>`
