# shellcheck shell=bash
# ZooKeeper from Debian's package, as a process beside the pods: for clusters whose high availability is there.

readonly ZOOKEEPER_PORT=2181
readonly ZOOKEEPER_PREREQUISITES=(
  /usr/share/java/zookeeper.jar:libzookeeper-java /usr/share/java/slf4j-simple.jar:libslf4j-java java:default-jre-headless
)

# start_zookeeper: one server, empty in a new bed.
start_zookeeper() {
  local jar class_path=
  for jar in zookeeper zookeeper-jute slf4j-api slf4j-simple metrics-core snappy-java; do
    class_path+=/usr/share/java/$jar.jar:
  done
  # Without fsync, as etcd: a bed never outlives a crash of the machine.
  write_config zookeeper.cfg <<EOT
dataDir=$BED/zookeeper
clientPortAddress=$NODE_ADDRESS
clientPort=$ZOOKEEPER_PORT
tickTime=1000
admin.enableServer=false
4lw.commands.whitelist=ruok
EOT
  ensure_process zookeeper "$(command -v java)" -Xmx128m -cp "$class_path" -Dzookeeper.forceSync=no \
    org.apache.zookeeper.server.quorum.QuorumPeerMain "$CONFIG/zookeeper.cfg"
  await zookeeper "ZooKeeper answers at $NODE_ADDRESS:$ZOOKEEPER_PORT" zookeeper_answers
}

# zookeeper_answers: `ruok` is its own question, and `imok` the answer.
zookeeper_answers() {
  # shellcheck disable=SC2016 # the inner shell expands
  [[ $(in_bed timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf ruok >&3 && head -c 4 <&3' ask "$NODE_ADDRESS" "$ZOOKEEPER_PORT") == imok ]]
}
