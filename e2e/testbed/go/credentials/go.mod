// Certificates and kubeconfigs of a bed; the standard library is enough.
module testbed/credentials

go 1.24.0
