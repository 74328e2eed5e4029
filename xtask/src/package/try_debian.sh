# Installs the Debian package, starts the server by its unit, sends requests, upgrades, removes and purges the package.
# Changes the machine: for a disposable copy only.
set -euo pipefail
package=$1
password='correct horse battery'
url=http://127.0.0.1:8052
unit=/usr/lib/systemd/system/hostler.service

fail() { echo "FAILED: $*" >&2; exit 1; }
step() { echo "- $*"; }
expect() { [[ $2 == "$3" ]] || fail "$1 is $2, wanted $3"; }
has() { [[ $2 == *"$3"* ]] || fail "$1: $2"; }
# The value of a key in the unit.
unit_says() { sed --quiet "s/^$1=//p" $unit; }
files() { find /etc /opt /usr /var /srv /home -xdev | grep --invert-match --extended-regexp "$untold" | sort; }
# Output of dpkg and other system programs.
untold='^/var/(lib/dpkg|log|cache|lib/systemd)/|^/etc/(passwd|shadow|group|gshadow|subuid|subgid)-$|^/etc/\.pwd\.lock$'

start() {
    local user
    user=$(unit_says User)
    # Like systemd.
    install --directory --owner="$user" --group="$user" --mode=0755 /run/hostler
    local command
    read -ra command <<<"$(unit_says ExecStart)"
    (
        set -a
        # shellcheck source=/dev/null
        . "$(unit_says EnvironmentFile | sed 's/^-//')"
        umask "$(unit_says UMask)"
        cd /var/lib/hostler
        exec setpriv --reuid="$user" --regid="$(unit_says Group)" --clear-groups --no-new-privs \
            --bounding-set=-all,+net_bind_service "${command[@]}"
    ) >/tmp/said 2>/tmp/log &
    server=$!
    curl --silent --fail --output /dev/null --retry 60 --retry-delay 1 --retry-connrefused $url/readyz ||
        fail "the server does not get ready: $(cat /tmp/said /tmp/log)"
}

stop() {
    kill -TERM $server
    wait $server || fail "the server ends with status $? on SIGTERM: $(tail -n 5 /tmp/log)"
}

api() { curl --silent --show-error --fail --user "admin:$password" --header 'Content-Type: application/json' "$@"; }

# The trial begins without an installed package.
dpkg --purge hostler >/dev/null 2>&1 || true
rm --recursive --force /var/lib/hostler /etc/hostler
before=$(files)

step "it installs"
dpkg --install "$package" >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
# Small systems are installed without manual pages and documents.
expect "what is installed otherwise than packed" "$(dpkg --verify hostler | grep --invert-match '^missing.*/usr/share/')" ''
expect "the user's shell" "$(getent passwd hostler | cut --delimiter=: --fields=7)" /usr/sbin/nologin
expect "mode of the data" "$(stat --format='%a %U:%G' /var/lib/hostler)" '700 hostler:hostler'
expect "mode of the configuration" "$(stat --format='%a %U:%G' /etc/hostler/hostler.toml)" '640 root:hostler'
for path in man/man1/hostler.1.gz man/man1/hostler-serve.1.gz bash-completion/completions/hostler \
    zsh/vendor-completions/_hostler fish/vendor_completions.d/hostler.fish \
    doc/hostler/{copyright,changelog.gz,third-party.txt.gz}; do
    # Small systems are installed without manual pages.
    has "/usr/share/$path is not in the package" "$(dpkg --listfiles hostler)" "/usr/share/$path"
done
has "the configuration is not read" "$(hostler config show)" 'data = "/var/lib/hostler"  # /etc/hostler/hostler.toml:'

step "commands before its first start change nothing"
hostler user create rescue --superuser <<<"$password" >/tmp/said 2>&1 && fail "a user is created without a server"
has "no reason is printed" "$(cat /tmp/said)" 'hostler serve'
hostler check >/tmp/said 2>&1 && fail "check passed before the first start"
expect "files of root in the data" "$(find /var/lib/hostler ! -user hostler)" ''

step "it starts as its unit says"
(umask 077 && echo "HOSTLER_ADMIN_PASSWORD='$password'" >/etc/hostler/environment)
start
expect "what the server runs as" "$(stat --format=%U /proc/$server)" hostler

step "it serves"
has "a name is not changed" "$(api --request PATCH --data '{"first_name": "Ada"}' $url/api/v2/users/1/)" '"first_name":"Ada"'
has "the server is not ready by its own account" "$(hostler probe 2>&1)" ready

step "root may use its commands, beside the server and without it"
hostler check || fail "check found a problem"
has "the users are not listed" "$(hostler user list)" admin
has "no key is replaced" "$(hostler secrets rotate)" 'is removed'
stop
has "the users are not listed" "$(hostler user list)" admin
others=$(find /var/lib/hostler ! -user hostler)
expect "what root left behind in the data" "$others" ''
expect "data that others can read" "$(find /var/lib/hostler -perm /077)" ''
start
stop

step "it is upgraded, and what the administrator wrote stays"
systemctl --quiet enable hostler.service
echo 'log_format = "json"' >>/etc/hostler/hostler.toml
chmod 0600 /etc/hostler/hostler.toml
chown hostler /etc/hostler/hostler.toml
dpkg-deb --raw-extract "$package" /tmp/next
sed --in-place 's/^Version: .*/&+next/' /tmp/next/DEBIAN/control
dpkg-deb --root-owner-group -Znone --build /tmp/next /tmp/next.deb >/dev/null
dpkg --install /tmp/next.deb >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
has "the upgrade took away what the administrator wrote" "$(cat /etc/hostler/hostler.toml)" 'log_format = "json"'
expect "mode of the configuration" "$(stat --format='%a %U' /etc/hostler/hostler.toml)" '600 hostler'
[[ -L /etc/systemd/system/multi-user.target.wants/hostler.service ]] || fail "the upgrade disabled the service"
start
has "the name is lost after the upgrade" "$(api $url/api/v2/me/)" '"first_name":"Ada"'
expect "the first letter of the log, which is to be JSON" "$(head --bytes=1 /tmp/log)" '{'
stop

step "it is removed"
dpkg --remove hostler >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
[[ ! -e /usr/bin/hostler ]] || fail "removing leaves the program"
[[ ! -L /etc/systemd/system/multi-user.target.wants/hostler.service ]] || fail "removing leaves the service enabled"
[[ -e /etc/hostler/hostler.toml ]] || fail "removing takes the configuration"

step "it is purged, and the data stay"
dpkg --purge hostler >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
has "purging does not report that the data are kept" "$(cat /tmp/dpkg)" 'kept: /var/lib/hostler'
[[ ! -e /etc/hostler ]] || fail "purging leaves the configuration: $(find /etc/hostler)"
[[ -e /var/lib/hostler/secret.key ]] || fail "purging takes the keys"

step "it is installed again, and finds its data"
dpkg --install "$package" >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
touch /etc/hostler/environment
start
has "the name is lost after all that" "$(api $url/api/v2/me/)" '"first_name":"Ada"'
stop

step "without data nothing of it is left"
rm --recursive /var/lib/hostler
dpkg --purge hostler >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
getent passwd hostler && fail "its user is left"
expect "what is left" "$(comm -13 <(echo "$before") <(files))" ''
