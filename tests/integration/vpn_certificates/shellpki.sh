#!/bin/sh
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# A stand-in for shellpki, written for these tests: its layout and its documented behaviour, its faults included.
#   init CN | create [-f csr] CN | revoke [--no-crl] CN | crl      (with --non-interactive; CA_PASSWORD and USER set)
set -u
: "$USER"
DIR=${SHELLPKI_DIR:-/etc/shellpki}
CONF=$DIR/openssl.cnf
command=$1
shift
csr=
crl=yes
while [ $# -gt 0 ]; do
    case "$1" in
        -f) csr=$2; shift 2 ;;
        --no-crl) crl=no; shift ;;
        --non-interactive) shift ;;
        *) break ;;
    esac
done
cn=${1:-}
# The password is on the command line: whoever reads ps has it. That is what it does.
pass="pass:${CA_PASSWORD:-}"

new_list() {
    openssl ca -config "$CONF" -passin "$pass" -gencrl -out "$DIR/crl.pem" 2>/dev/null
    chmod 604 "$DIR/crl.pem" 2>/dev/null
    return 0 # whatever openssl said
}

case "$command" in
    init)
        [ -e "$DIR/cakey.key" ] && exit 1
        mkdir -p "$DIR/certs" "$DIR/private" "$DIR/requests" "$DIR/pkcs12" "$DIR/openvpn" "$DIR/tmp"
        chmod 751 "$DIR"
        cat > "$CONF" << EOF
[ ca ]
default_ca = CA_default
[ CA_default ]
dir = $DIR
certs = \$dir/certs
new_certs_dir = \$dir/tmp
database = \$dir/index.txt
certificate = \$dir/cacert.pem
serial = \$dir/serial
crl = \$dir/crl.pem
private_key = \$dir/cakey.key
default_days = 365
default_crl_days = 730
default_md = sha256
policy = policy_match
x509_extensions = usr_cert
[ policy_match ]
countryName = supplied
organizationName = supplied
commonName = supplied
emailAddress = optional
[ usr_cert ]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
EOF
        : > "$DIR/index.txt"
        echo 'unique_subject = yes' > "$DIR/index.txt.attr"
        echo 01 > "$DIR/serial"
        : > "$DIR/crl.pem"
        chmod 604 "$DIR/crl.pem"
        openssl genrsa -aes256 -passout "pass:$CA_PASSWORD" -out "$DIR/cakey.key" 2048 2>/dev/null
        chmod 600 "$DIR/cakey.key" "$DIR/index.txt"
        openssl req -new -x509 -key "$DIR/cakey.key" -passin "$pass" -days 3650 -subj "/C=FR/O=Example/CN=$cn" -out "$DIR/cacert.pem"
        ;;
    create)
        [ -e "$DIR/certs/$cn.crt" ] && exit 1
        stem="$cn-$(date -u +%Y%m%d%H%M%SZ)"
        if [ -n "$csr" ]; then
            cp "$csr" "$DIR/requests/$stem.csr"
        else
            openssl req -new -newkey rsa:2048 -nodes -keyout "$DIR/private/$stem.key" -out "$DIR/requests/$stem.csr" \
                -subj "/C=FR/O=Example/CN=$cn/emailAddress=security@example.org" 2>/dev/null
            echo pkcs12 > "$DIR/pkcs12/$stem.p12"
            echo client > "$DIR/openvpn/$stem.ovpn"
        fi
        openssl ca -batch -config "$CONF" -passin "$pass" -in "$DIR/requests/$stem.csr" -out "$DIR/certs/$cn.crt" -notext 2>/dev/null
        [ "$crl" = no ] || new_list
        ;;
    revoke)
        if [ ! -e "$DIR/certs/$cn.crt" ]; then
            echo "Unknow CN : $cn" >&2
            exit 1
        fi
        openssl ca -config "$CONF" -passin "$pass" -revoke "$DIR/certs/$cn.crt" 2>/dev/null
        rm "$DIR/certs/$cn.crt"
        [ "$crl" = no ] || new_list
        ;;
    crl) new_list ;;
    *) exit 1 ;;
esac
exit 0
