package main

import (
	"encoding/json"
	"os"
	"strconv"
)

// object is a piece of JSON, which is YAML too.
type object map[string]any

// writeKubeconfig writes a kubeconfig that carries its certificates with it, so
// that it can be copied or mounted alone. The server is the node's address, which
// pods and processes in the bed's network namespace both reach.
func (b bed) writeKubeconfig(id identity) error {
	path := b.path(id.file)
	authority, err := os.ReadFile(b.path("ca.crt"))
	if err != nil {
		return err
	}
	certificate, err := os.ReadFile(path + ".crt")
	if err != nil {
		return err
	}
	key, err := os.ReadFile(path + ".key")
	if err != nil {
		return err
	}
	server := "https://" + b.nodeAddress.String() + ":" + strconv.Itoa(b.port)
	// encoding/json writes []byte as base64, which is what these fields want.
	content, err := json.MarshalIndent(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "testbed",
		"clusters": []object{{"name": "testbed", "cluster": object{
			"server": server, "certificate-authority-data": authority,
		}}},
		"users": []object{{"name": id.name, "user": object{
			"client-certificate-data": certificate, "client-key-data": key,
		}}},
		"contexts": []object{{"name": "testbed", "context": object{
			"cluster": "testbed", "user": id.name, "namespace": "default",
		}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path+".kubeconfig", append(content, '\n'))
}
