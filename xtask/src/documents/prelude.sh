# The environment of the commands in a document: the package is installed and the service started, unless the document
# needs something else. It runs in a disposable copy of the machine without systemd and network.
set -Eeuo pipefail
# Blocks whose output is compared redirect it.
exec 4>&2
password=password
place=
mkdir --parents /srv/hostler/target/package /var/backups
cd /srv/hostler
cp "$package" target/package/

fail() { echo "FAILED: $place: $*" >&4; place=; exit 1; }
at_the_end() {
    local status=$?
    if [[ $place ]]; then
        tail --lines=20 /run/log /run/printed 2>/dev/null >&4 || true
        echo "FAILED: the block at $place ends with status $status" >&4
        exit 1
    fi
}
trap at_the_end EXIT

# An error response ends a block.
curl() { command curl --silent --fail-with-body "$@"; }

listens() {
    command curl --silent --fail --output /dev/null --retry 60 --retry-delay 1 --retry-connrefused \
        http://127.0.0.1:8052/readyz || fail "nothing listens: $(tail --lines=5 /run/log)"
}
is_refused() { [[ $1 != 0 ]] || fail "this was to be refused"; }
printed() {
    local found
    found=$(</run/printed)
    # shellcheck disable=SC2053
    [[ $found == $1 ]] || fail "this is printed, and the document shows something else: $found"
}
playbook() {
    echo "$1" >/run/playbook.yml
    ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false "$clients/ansible-playbook" --connection local \
        --inventory localhost, --extra-vars "ansible_python_interpreter=$clients/python" /run/playbook.yml >/run/printed 2>&1
}
configuration() {
    echo "$1" >/run/configuration.toml
    hostler config show --config /run/configuration.toml >/run/printed
}

# Replaces systemd's: starts the service by its unit, and waits until it is ready.
cat >/usr/local/bin/systemctl <<'SYSTEMCTL'
#!/bin/bash
set -euo pipefail
unit=/usr/lib/systemd/system/hostler.service
says() { sed --quiet "s/^$1=//p" $unit; }
pid=/run/hostler.pid
start() {
    install --directory --owner=hostler --group=hostler /run/hostler
    touch /etc/hostler/environment
    set -a
    . /etc/hostler/environment
    set +a
    cd /var/lib/hostler
    read -ra command <<<"$(says ExecStart)"
    setpriv --reuid=hostler --regid=hostler --clear-groups --no-new-privs "${command[@]}" >>/run/log 2>&1 </dev/null &
    echo $! >$pid
    curl --silent --fail --output /dev/null --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:8052/healthz
}
stop() {
    [[ -e $pid ]] || return 0
    kill -TERM "$(<$pid)"
    while [[ -e /proc/$(<$pid)/exe ]]; do sleep 0.05; done
    rm $pid
}
case "$*" in
    'start hostler' | 'enable --now hostler') start ;;
    'stop hostler') stop ;;
    'restart hostler') stop; start ;;
    'reload hostler') kill -HUP "$(<$pid)" ;;
    '--system daemon-reload' | *disable*) ;;
    *) echo "the stand-in for systemctl knows no $*" >&2; exit 1 ;;
esac
SYSTEMCTL
chmod +x /usr/local/bin/systemctl

# Replaces cargo: the binary is already built.
cat >/usr/local/bin/cargo <<'CARGO'
#!/bin/bash
case "$*" in
    'run --release -- serve') exec /usr/bin/hostler serve ;;
    'xtask package') ;;
    *) echo "the stand-in for cargo knows no $*" >&2; exit 1 ;;
esac
CARGO
chmod +x /usr/local/bin/cargo
PATH=/usr/local/bin:$PATH
[[ -z $clients ]] || PATH=$PATH:$clients

# A server at the port of the documents, with an empty database that belongs to the user hostler.
start_postgresql() {
    local bin data=/tmp/postgresql
    bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort --version-sort | tail --lines=1)
    install --directory --owner=postgres --mode=0700 $data
    cd /
    runuser --user postgres -- "$bin/initdb" --auth=trust --pgdata=$data/main >/run/printed
    runuser --user postgres -- "$bin/pg_ctl" --pgdata=$data/main --log=$data/log --wait \
        --options="-c unix_socket_directories=$data -c fsync=off -c listen_addresses=127.0.0.1 -c port=5432" start >/run/printed
    psql --quiet --host=$data --username=postgres --command='CREATE ROLE hostler LOGIN' \
        --command='CREATE DATABASE hostler OWNER hostler' --command='CREATE DATABASE second OWNER hostler'
    cd - >/run/printed
}

# The directory of the examples, with a TLS certificate that this machine trusts.
start_ldap() {
    local data=/tmp/ldap
    mkdir $data $data/db
    local authority=/usr/local/share/ca-certificates/example.org.crt
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=example.org -keyout $data/ca.pem -out $authority 2>/run/printed
    openssl req -newkey rsa:2048 -nodes -subj /CN=ldap.example.org -keyout $data/key.pem -out $data/request.pem 2>/run/printed
    openssl x509 -req -in $data/request.pem -CA $authority -CAkey $data/ca.pem -days 2 -out $data/cert.pem \
        -extfile <(echo subjectAltName=DNS:ldap.example.org) 2>/run/printed
    update-ca-certificates >/run/printed 2>&1
    cat >$data/slapd.conf <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile $data/cert.pem
TLSCertificateKeyFile $data/key.pem
database mdb
suffix dc=example,dc=org
directory $data/db
CONF
    slapadd -f $data/slapd.conf <<LDIF
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=reader,dc=example,dc=org
objectClass: person
cn: reader
sn: reader
userPassword: the password of the reader

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: uid=ann,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: ann
cn: Ann
givenName: Ann
sn: Example
mail: ann@example.org
userPassword: her-password

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: cn=ops,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: ops
member: uid=ann,ou=people,dc=example,dc=org
LDIF
    slapd -f $data/slapd.conf -h ldaps://127.0.0.1:636
}

prepare() {
    local need starts=yes
    echo '127.0.0.1 db ldap.example.org' >>/etc/hosts
    for need; do
        case $need in
            'nothing installed') starts= ;;
            'no server') starts=installed ;;
            postgresql) start_postgresql ;;
            ldap) start_ldap ;;
            *) fail "nobody knows how to have $need" ;;
        esac
    done
    dpkg --purge hostler >/dev/null 2>&1 || true
    rm --recursive --force /var/lib/hostler /etc/hostler
    [[ $starts ]] || return 0
    dpkg --install "$package" >/run/printed 2>&1
    [[ $starts == yes ]] || return 0
    echo HOSTLER_ADMIN_PASSWORD=$password >/etc/hostler/environment
    systemctl start hostler
}

# Answers password prompts.
exec < <(yes 'correct horse battery')
