# shellcheck shell=bash
# The objects of a cluster as the operator would make them, as far as a pod can tell.
# Uses FLINK, MODE, JOB, NAMESPACE and DATA, a directory of the node that all pods mount.

service_account() {
  cat <<YAML
apiVersion: v1
kind: ServiceAccount
metadata: {name: flink}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: flink}
rules:
- {apiGroups: [""], resources: [pods, configmaps, services], verbs: ["*"]}
- {apiGroups: [apps], resources: [deployments, deployments/finalizers], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: flink}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: flink}
subjects: [{kind: ServiceAccount, name: flink}]
YAML
}

# configuration PARALLELISM SAVEPOINT : lines of "key: value", which both formats accept.
configuration() {
  local opens="--add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.net=ALL-UNNAMED"
  opens+=" --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.time=ALL-UNNAMED"
  cat <<YAML
kubernetes.cluster-id: $JOB
kubernetes.namespace: $NAMESPACE
kubernetes.service-account: flink
kubernetes.container.image.ref: flink:$FLINK
kubernetes.taskmanager.cpu.amount: 0.2
kubernetes.jobmanager.cpu.amount: 0.2
kubernetes.taskmanager.cpu.limit-factor: 10
execution.target: kubernetes-application
execution.shutdown-on-application-finish: false
execution.checkpointing.interval: 1 s
env.java.default-opts.all: $opens
jobmanager.memory.process.size: 1024m
taskmanager.memory.process.size: 1024m
taskmanager.numberOfTaskSlots: 2
taskmanager.rpc.port: 6122
blob.server.port: 6124
parallelism.default: $1
high-availability.type: kubernetes
high-availability.cluster-id: $JOB
high-availability.storageDir: file:///data/ha
high-availability.jobmanager.port: 6123
execution.checkpointing.dir: file:///data/checkpoints
execution.checkpointing.savepoint-dir: file:///data/savepoints
YAML
  [[ -z $2 ]] || echo "execution.state-recovery.path: $2"
  if [[ $MODE == native ]]; then
    echo 'kubernetes.pod-template-file.taskmanager: /opt/flink/pod-template/taskmanager-pod-template.yaml'
    echo 'kubernetes.internal.jobmanager.entrypoint.class: org.apache.flink.kubernetes.entrypoint.KubernetesApplicationClusterEntrypoint'
    echo 'internal.cluster.execution-mode: NORMAL'
    echo 'pipeline.jars: local:///opt/flink/usrlib/counting-job.jar'
    program_arguments
  else
    echo "jobmanager.rpc.address: $JOB.$NAMESPACE"
    echo 'pipeline.classpaths: file:///opt/flink/examples/streaming/CountingJob.jar'
  fi
}

program_arguments() {
  if [[ $FLINK == 1.* ]]; then
    echo "\$internal.application.program-args: --ledger;/data/ledger"
  else
    echo "\$internal.application.program-args: ['--ledger', '/data/ledger']"
  fi
}

# cluster PARALLELISM SAVEPOINT : everything but the service account.
cluster() {
  local file=config.yaml
  [[ $FLINK != 1.* ]] || file=flink-conf.yaml
  services
  printf -- '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: flink-config-%s, labels: {app: %s}}\ndata:\n  %s: |\n' "$JOB" "$JOB" "$file"
  configuration "$@" | sed 's/^/    /'
  echo '  log4j-console.properties: |'
  sed 's/^/    /' "$IMAGE_DIR/rootfs/opt/flink/conf/log4j-console.properties"
  pod_template
  if [[ $MODE == native ]]; then
    deployment "$JOB" jobmanager '["bash", "-c", "kubernetes-jobmanager.sh kubernetes-application "]' "$file"
  else
    # shellcheck disable=SC2016 # Kubernetes expands the address
    deployment "$JOB" jobmanager '["standalone-job", "-D", "jobmanager.rpc.address=$(_POD_IP_ADDRESS)", "--ledger", "/data/ledger"]' "$file"
    deployment "$JOB-taskmanager" taskmanager '["taskmanager"]' "$file"
  fi
}

services() {
  cat <<YAML
---
apiVersion: v1
kind: Service
metadata: {name: $JOB-rest}
spec:
  selector: {app: $JOB, component: jobmanager}
  ports: [{name: rest, port: 8081}]
---
apiVersion: v1
kind: Service
metadata: {name: $JOB}
spec:
  clusterIP: None
  selector: {app: $JOB, component: jobmanager}
  ports: [{name: jobmanager-rpc, port: 6123}, {name: blobserver, port: 6124}]
YAML
}

pod_template() {
  cat <<YAML
---
apiVersion: v1
kind: ConfigMap
metadata: {name: pod-template-$JOB, labels: {app: $JOB}}
data:
  taskmanager-pod-template.yaml: |
    apiVersion: v1
    kind: Pod
    spec:
      $(security)
      containers:
      - name: flink-main-container
        $(container_security)
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, hostPath: {path: $DATA}}]
YAML
}

# What the `restricted` pod security standard asks for.
security() {
  echo 'securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}'
}

container_security() {
  echo 'securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}'
}

# deployment NAME COMPONENT ARGS CONFIGURATION_FILE
deployment() {
  cat <<YAML
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: $1, labels: {app: $JOB, component: $2}}
spec:
  replicas: 1
  selector: {matchLabels: {app: $JOB, component: $2}}
  template:
    metadata: {labels: {app: $JOB, component: $2}}
    spec:
      serviceAccountName: flink
      $(security)
      containers:
      - name: flink-main-container
        image: flink:$FLINK
        imagePullPolicy: IfNotPresent
        command: [/docker-entrypoint.sh]
        args: $3
        $(container_security)
        env: [{name: _POD_IP_ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
        resources: {requests: {cpu: 0.2, memory: 1Gi}, limits: {memory: 1Gi}}
        volumeMounts:
        - {name: config, mountPath: /opt/flink/conf}
        - {name: pod-template, mountPath: /opt/flink/pod-template}
        - {name: data, mountPath: /data}
        $([[ $MODE == native ]] || echo '- {name: user-lib, mountPath: /opt/flink/usrlib}')
      volumes:
      - name: config
        configMap:
          name: flink-config-$JOB
          items: [{key: $4, path: $4}, {key: log4j-console.properties, path: log4j-console.properties}]
      - {name: pod-template, configMap: {name: pod-template-$JOB}}
      - {name: data, hostPath: {path: $DATA}}
      - {name: user-lib, emptyDir: {}}
YAML
}
