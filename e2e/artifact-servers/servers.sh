# shellcheck shell=bash
# Servers of jars: built or installed once into the cache, and started on loopback. Expects log.sh and build.sh of the
# test bed, and $SCRATCH.

AZURITE_VERSION=3.35.0
SERVERS_DIR=$CACHE_DIR/artifact-servers
SERVERS=$E2E_DIR/artifact-servers

# Whoever comes in reads them here; they are nobody's secrets.
S3_KEY="jobs"
S3_SECRET="a-secret-of-the-test"
# The emulator's account, which its documentation names.
AZURE_ACCOUNT=devstoreaccount1
AZURE_KEY='Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

PIDS=()

# install_server NAME COMMAND… : runs it in a new folder of the cache; what bears the final name is whole.
install_server() {
  local target=$SERVERS_DIR/$1 folder
  shift
  [[ -e $target ]] && return
  mkdir -p "$SERVERS_DIR"
  folder=$(mktemp -d "$SERVERS_DIR/.installing.XXXXXX")
  (cd "$folder" && "$@") || { rm -rf "$folder" && return 1; }
  mv "$folder" "$target"
}

azurite_folder() {
  echo "$SERVERS_DIR/azurite-$AZURITE_VERSION"
}

hdfs_folder() {
  echo "$SERVERS_DIR/hdfs-$(sha256sum <"$SERVERS/hdfs.pom.xml" | cut -c1-12)"
}

install_azurite() {
  npm install --no-audit --no-fund --ignore-scripts --no-save "azurite@$AZURITE_VERSION"
}

install_hdfs() {
  cp "$SERVERS/hdfs.pom.xml" pom.xml
  mvn -q -B -Dstyle.color=never dependency:copy-dependencies -DoutputDirectory=lib
}

# free_port : prints a port that nobody listens on.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_server NAME COMMAND… : its output goes to a log in $SCRATCH.
start_server() {
  local name=$1
  shift
  mkdir -p "$SCRATCH/$name"
  (cd "$SCRATCH/$name" && exec "$@" >"$SCRATCH/$name.log" 2>&1) &
  PIDS+=($!)
}

stop_servers() {
  local pid
  for pid in "${PIDS[@]}"; do
    kill "$pid" 2>/dev/null || true
  done
  wait 2>/dev/null || true
}

# answers STATUS CURL-ARGUMENT… : waits until the server answers so.
answers() {
  local expected=$1
  shift
  for _ in $(seq 120); do
    [[ $(curl -s -o /dev/null -w '%{http_code}' "$@") == "$expected" ]] && return
    sleep 0.5
  done
  die "${*: -1} does not answer with $expected after a minute"
}

# put STATUS CURL-ARGUMENT… : a request that must be answered so.
put() {
  local expected=$1 status
  shift
  status=$(curl -s -o "$SCRATCH/answer" -w '%{http_code}' "$@")
  [[ $status == "$expected" ]] || die "${*: -1}: $status instead of $expected: $(head -c 500 "$SCRATCH/answer")"
}

# An S3 server that checks signatures.
start_s3() {
  S3_URL=http://127.0.0.1:$(free_port)
  mkdir -p "$SCRATCH/s3/data/jars"
  start_server s3 env ROOT_ACCESS_KEY="$S3_KEY" ROOT_SECRET_KEY="$S3_SECRET" \
    "$(program_path versitygw)" --port "${S3_URL#http://}" posix "$SCRATCH/s3/data"
  answers 403 "$S3_URL/jars"
  put 200 --aws-sigv4 aws:amz:us-east-1:s3 --user "$S3_KEY:$S3_SECRET" \
    -H "x-amz-content-sha256: $DIGEST" -T "$JAR" "$S3_URL/jars/team/job.jar"
  # A name as people have them; a client that encodes it twice, or decodes it, does not find it.
  mkdir "$SCRATCH/s3/data/jars/odd"
  cp "$JAR" "$SCRATCH/s3/data/jars/odd/my job+ä%20.jar"
}

start_gcs() {
  local port
  port=$(free_port)
  GCS_URL=http://127.0.0.1:$port
  start_server gcs "$(program_path fake-gcs-server)" -backend memory -scheme http -host 127.0.0.1 -port "$port" \
    -public-host "127.0.0.1:$port"
  answers 200 "$GCS_URL/storage/v1/b?project=p"
  put 200 -H 'Content-Type: application/json' -d '{"name": "jars"}' "$GCS_URL/storage/v1/b?project=p"
  put 200 --data-binary "@$JAR" "$GCS_URL/upload/storage/v1/b/jars/o?uploadType=media&name=team/job.jar"
}

start_azure() {
  local port
  port=$(free_port)
  AZURE_URL=http://127.0.0.1:$port/$AZURE_ACCOUNT
  SAS=$(python3 "$SERVERS/sas.py" "$AZURE_ACCOUNT" "$AZURE_KEY")
  start_server azure node "$(azurite_folder)/node_modules/azurite/dist/src/blob/main.js" \
    --blobHost 127.0.0.1 --blobPort "$port" --location "$SCRATCH/azure" --skipApiVersionCheck
  answers 400 "$AZURE_URL"
  put 201 -X PUT -H 'Content-Length: 0' "$AZURE_URL/jars?restype=container&$SAS"
  put 201 -H 'x-ms-blob-type: BlockBlob' -T "$JAR" "$AZURE_URL/jars/team/job.jar?$SAS"
}

start_hdfs() {
  local port location api
  port=$(free_port)
  HDFS_HTTP=127.0.0.1:$port
  HDFS=127.0.0.1:$(free_port)
  api=http://$HDFS_HTTP/webhdfs/v1
  start_server hdfs java -Xmx300m --add-opens java.base/java.lang=ALL-UNNAMED \
    "-Dtest.build.data=$SCRATCH/hdfs/data" "-Dhadoop.log.dir=$SCRATCH/hdfs" -cp "$(hdfs_folder)/lib/*" \
    org.apache.hadoop.test.MiniDFSClusterManager -format -httpport "$port" -nnport "${HDFS#*:}" \
    -D "hadoop.tmp.dir=$SCRATCH/hdfs/tmp"
  answers 200 "$api/?op=LISTSTATUS"
  # The NameNode redirects as soon as it knows the DataNode.
  answers 307 -X PUT "$api/probe?op=CREATE&user.name=root"
  location=$(curl -s -X PUT -o /dev/null -w '%{redirect_url}' "$api/team/job.jar?op=CREATE&user.name=root")
  put 201 -T "$JAR" "$location"
  put 200 -X PUT "$api/team?op=SETPERMISSION&permission=700&user.name=root"
}
