package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"time"
)

// validity of every certificate: a bed never outlives it. It starts in the past,
// because clocks of test machines jump.
const (
	validBefore = 24 * time.Hour
	validAfter  = 10 * 365 * 24 * time.Hour
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// loadOrCreateAuthority reads PATH.crt and PATH.key, and makes both when one is missing.
func loadOrCreateAuthority(path string) (*authority, error) {
	if exists(path+".crt") && exists(path+".key") {
		return loadAuthority(path)
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template, err := newTemplate(pkix.Name{CommonName: "testbed"})
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certificate, key}, writePair(path, der, key)
}

func loadAuthority(path string) (*authority, error) {
	der, err := readBlock(path + ".crt")
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if der, err = readBlock(path + ".key"); err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	key, isEC := parsed.(*ecdsa.PrivateKey)
	if !isEC {
		return nil, fmt.Errorf("%s.key: not an elliptic curve key", path)
	}
	return &authority{certificate, key}, nil
}

// signed tells whether the certificate in the file is from this authority.
func (ca *authority) signed(path string) bool {
	der, err := readBlock(path)
	if err != nil {
		return false
	}
	certificate, err := x509.ParseCertificate(der)
	return err == nil && certificate.CheckSignatureFrom(ca.certificate) == nil
}

// issue writes PATH.crt and PATH.key for the identity.
func (ca *authority) issue(path string, id identity) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	template, err := newTemplate(pkix.Name{CommonName: id.name, Organization: id.groups})
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{id.usage}
	template.DNSNames, template.IPAddresses = id.names, id.addresses
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, key.Public(), ca.key)
	if err != nil {
		return err
	}
	return writePair(path, der, key)
}

// ensureSigningKey makes the key pair of service account tokens: PATH.key and PATH.pub.
func ensureSigningKey(path string) error {
	if exists(path+".key") && exists(path+".pub") {
		return nil
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writeKey(path+".key", key); err != nil {
		return err
	}
	return writeFile(path+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
}

func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func newTemplate(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               subject,
		NotBefore:             now.Add(-validBefore),
		NotAfter:              now.Add(validAfter),
		BasicConstraintsValid: true,
	}, nil
}

func writePair(path string, certificate []byte, key *ecdsa.PrivateKey) error {
	if err := writeKey(path+".key", key); err != nil {
		return err
	}
	return writeFile(path+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
}

// writeKey writes PKCS #8, which clients in every language read.
func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func readBlock(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM block", path)
	}
	return block.Bytes, nil
}
