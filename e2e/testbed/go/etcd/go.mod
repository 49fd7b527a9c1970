// etcd for the test bed. A module of its own: etcd and Kubernetes ask for
// versions of gRPC and OpenTelemetry that do not fit into one build.
module testbed/etcd

go 1.24.0

require go.etcd.io/etcd/server/v3 v3.6.5
