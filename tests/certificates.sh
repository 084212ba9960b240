#!/bin/sh
# Certificates for tests, in a folder: ca, server, renewed (another of the server's), fw1 and fw2 (clients),
# expired, stranger (of another CA), self (of no CA); revoked.crl (fw2 is), none.crl, outdated.crl. NAME.pem holds certificate and key.   certificates.sh FOLDER
set -eu
cd "$1"
exec 2>openssl.log
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
authority() {
	key "$1"
	openssl req -x509 -new -key "$1.key" -subj "/CN=$1" -days 30 -out "$1.crt"
}
leaf() { # name authority days subjectAltName
	key "$1"
	openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
	printf 'subjectAltName=%s\n' "$4" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days "$3" -extfile "$1.ext" \
		-out "$1.crt"
	cat "$1.crt" "$1.key" >"$1.pem"
}
authority ca
authority other
leaf server ca 30 DNS:localhost,IP:127.0.0.1
leaf renewed ca 30 DNS:localhost,IP:127.0.0.1
leaf fw1 ca 30 DNS:fw1.hue.example.vn,URI:urn:example:fw1,IP:192.0.2.7
leaf fw2 ca 30 DNS:fw2.example.vn
leaf expired ca -1 DNS:fw1.hue.example.vn
leaf stranger other 30 DNS:fw1.hue.example.vn
crl() { # name authority until revoked...
	name=$1 authority=$2 until=$3
	shift 3
	: >"$name.index"
	echo 01 >"$name.number"
	printf '[ca]\ndefault_ca=a\n[a]\ndatabase=%s.index\ncrlnumber=%s.number\ndefault_md=sha256\n' "$name" "$name" \
		>"$name.cnf"
	for leaf in "$@"; do
		openssl ca -config "$name.cnf" -cert "$authority.crt" -keyfile "$authority.key" -revoke "$leaf.crt"
	done
	openssl ca -config "$name.cnf" -cert "$authority.crt" -keyfile "$authority.key" -gencrl \
		-crl_lastupdate 20200101000000Z -crl_nextupdate "$until" -out "$name.crl"
}
crl revoked ca 20990101000000Z fw2
crl none ca 20990101000000Z
crl outdated ca 20200102000000Z
key self
openssl req -x509 -new -key self.key -subj /CN=self -days 30 -out self.crt
cat self.crt self.key >self.pem
