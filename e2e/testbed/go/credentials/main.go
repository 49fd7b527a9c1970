// Command credentials makes what the parts of a bed need to know each other:
// a certificate authority, certificates, kubeconfigs and the key that signs
// service account tokens.
//
//	credentials -dir DIR -node NAME -node-ip IP -service-ip IP -port PORT
//
// It writes only what is missing, so that a bed keeps its identity when it is
// started again. Each file appears by one rename.
package main

import (
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// bed is what the credentials depend on.
type bed struct {
	dir                       string
	node                      string
	nodeAddress, serviceProxy net.IP
	port                      int
}

func main() {
	var b bed
	var nodeAddress, serviceAddress string
	flag.StringVar(&b.dir, "dir", "", "directory for the files")
	flag.StringVar(&b.node, "node", "", "name of the node")
	flag.StringVar(&nodeAddress, "node-ip", "", "address of the node and of the API server")
	flag.StringVar(&serviceAddress, "service-ip", "", "cluster address of the service 'kubernetes'")
	flag.IntVar(&b.port, "port", 6443, "port of the API server")
	flag.Parse()
	b.nodeAddress, b.serviceProxy = net.ParseIP(nodeAddress), net.ParseIP(serviceAddress)
	if err := b.write(); err != nil {
		fmt.Fprintln(os.Stderr, "credentials:", err)
		os.Exit(1)
	}
}

func (b bed) write() error {
	if b.dir == "" || b.node == "" || b.nodeAddress == nil || b.serviceProxy == nil {
		return fmt.Errorf("-dir, -node, -node-ip and -service-ip are all needed")
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	if err := ensureSigningKey(b.path("service-account")); err != nil {
		return err
	}
	ca, err := loadOrCreateAuthority(b.path("ca"))
	if err != nil {
		return err
	}
	for _, id := range b.identities() {
		if err := b.issue(ca, id); err != nil {
			return fmt.Errorf("%s: %w", id.file, err)
		}
	}
	return nil
}

// identity is one certificate, and a kubeconfig when the bearer is a client of
// the API server that reads one.
type identity struct {
	file       string
	name       string   // common name: the user
	groups     []string // organizations: the user's groups
	usage      x509.ExtKeyUsage
	names      []string
	addresses  []net.IP
	kubeconfig bool
}

// identities: users and groups are those Kubernetes' built-in roles are bound to.
func (b bed) identities() []identity {
	loopback := net.IPv4(127, 0, 0, 1)
	client := func(file, name string, groups ...string) identity {
		return identity{file: file, name: name, groups: groups, usage: x509.ExtKeyUsageClientAuth, kubeconfig: true}
	}
	// The API server shows this certificate to the kubelet (logs, exec); it is no user of its own.
	toKubelet := client("apiserver-to-kubelet", "kube-apiserver-kubelet-client", "system:masters")
	toKubelet.kubeconfig = false
	return []identity{
		client("admin", "testbed-admin", "system:masters"),
		client("controller-manager", "system:kube-controller-manager"),
		client("scheduler", "system:kube-scheduler"),
		client("proxy", "system:kube-proxy"),
		client("coredns", "system:coredns"),
		client("kubelet", "system:node:"+b.node, "system:nodes"),
		toKubelet,
		{
			file: "apiserver", name: "kube-apiserver", usage: x509.ExtKeyUsageServerAuth,
			names: []string{
				"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
				"kubernetes.default.svc.cluster.local",
			},
			addresses: []net.IP{loopback, b.nodeAddress, b.serviceProxy},
		},
		{
			file: "kubelet-server", name: "system:node:" + b.node, groups: []string{"system:nodes"},
			usage: x509.ExtKeyUsageServerAuth, names: []string{b.node, "localhost"},
			addresses: []net.IP{loopback, b.nodeAddress},
		},
	}
}

func (b bed) issue(ca *authority, id identity) error {
	path := b.path(id.file)
	if !exists(path+".crt") || !exists(path+".key") || !ca.signed(path+".crt") {
		if err := ca.issue(path, id); err != nil {
			return err
		}
	} else if !id.kubeconfig || exists(path+".kubeconfig") {
		return nil
	}
	if !id.kubeconfig {
		return nil
	}
	return b.writeKubeconfig(id)
}

func (b bed) path(name string) string { return filepath.Join(b.dir, name) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// writeFile makes the file appear whole or not at all.
func writeFile(path string, content []byte) error {
	unfinished := path + ".unfinished"
	if err := os.WriteFile(unfinished, content, 0o600); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}
