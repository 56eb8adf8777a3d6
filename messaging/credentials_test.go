package messaging

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/paxosd/paxosd/messaging/embedded"
	"github.com/paxosd/paxosd/paxos"
)

// TestCredentials connects in each way that needs no operator, and is refused without.
func TestCredentials(t *testing.T) {
	kp, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := kp.Seed()
	if err != nil {
		t.Fatal(err)
	}
	public, err := kp.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		broker string
		cred   Credentials
	}{
		{"user", `authorization { user: p1, password: s3cret }`, Credentials{User: "p1", Password: "s3cret"}},
		{"token", `authorization { token: s3cret }`, Credentials{Token: "s3cret"}},
		{"nkey", fmt.Sprintf(`authorization { users: [ { nkey: %s } ] }`, public), Credentials{NKeyFile: writeFile(t, "p1.nk", string(seed))}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := startBroker(t, embedded.Config{ConfigFile: writeFile(t, "broker.conf", tt.broker), Listen: "127.0.0.1:0"})
			cfg := testConfig(e, "p1", paxos.RoleProposer)
			if _, err := Connect(testContext(t), cfg, nil); err == nil || !hopeless(err) {
				t.Errorf("without credentials: %v", err)
			}
			cfg.Credentials = tt.cred
			if p := join(t, cfg); !p.Up() {
				t.Error("not up")
			}
		})
	}
}

// TestTLS: the broker shows a certificate and asks for one; messages travel.
func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	server, key := ca.issue(t, "127.0.0.1")
	cert, certKey := ca.issue(t, "p1")
	file := writeFile(t, "broker.conf", fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }", server, key, ca.file))
	e := startBroker(t, embedded.Config{ConfigFile: file, Listen: "127.0.0.1:0"})
	if !strings.HasPrefix(e.ClientURL(), "tls://") {
		t.Errorf("URL %q", e.ClientURL())
	}
	cfg := testConfig(e, "p1", paxos.RoleProposer)
	cfg.TLS = TLS{CA: ca.file, Cert: cert, Key: certKey}
	sender := join(t, cfg)
	cfg.Name = "a1"
	receiver := join(t, cfg)
	receiver.subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindPrepare}})
	sender.send(t, prepareAt(1))
	eventually(t, "arrival", func() bool { return len(receiver.got()) == 1 })
}

// authority signs certificates of this test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	a.cert = template("authority")
	a.cert.IsCA, a.cert.BasicConstraintsValid, a.cert.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.file = writePEM(t, "ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	k := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template(name), a.cert, &k.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "cert.pem", "CERTIFICATE", der), writePEM(t, "key.pem", "EC PRIVATE KEY", secret)
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func writePEM(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	return writeFile(t, name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}
