# Runs the server in the root file system of the container, as in the Containerfile. Changes the machine: for a
# disposable copy only.
set -euo pipefail
archive=$1 file=$2
password='correct horse battery'

fail() { echo "FAILED: $*" >&2; exit 1; }
step() { echo "- $*"; }
# The arguments of an instruction of the Containerfile.
says() { sed --quiet "s/^$1 //p" "$file"; }
# The words of a list such as ["a", "b"].
words() { tr --delete '[]",' <<<"$1"; }

step "it holds what the Containerfile says, of which the program can change next to nothing"
# An overlay cannot be stacked on the overlay of the copy.
images() { buildah --storage-driver vfs "$@"; }
if command -v buildah >/dev/null; then
    images build --quiet --network none --format docker --file "$file" --tag hostler "$(dirname "$archive")" >/dev/null
    root=$(images mount "$(images from hostler)")
    [[ $(images inspect --type image hostler) == *'"Healthcheck": {'* ]] || fail "the image has no health check"
else
    root=$(mktemp --directory)
    chmod 0755 "$root"
    tar --extract --file="$archive" --directory="$root" --same-owner
fi
[[ $(says FROM) == scratch ]] || fail "the image is built on another: $(says FROM)"
[[ $(says ADD) == "$(basename "$archive") /" ]] || fail "the Containerfile adds another file: $(says ADD)"
user=$(says USER)
writable=$(find "$root" \( -user "${user%:*}" -o -perm /022 \) ! -type l -printf '/%P\n' | sort)
[[ $writable == $'/run/hostler\n/tmp\n/var/lib/hostler' ]] || fail "the program could change $writable"
[[ -d $root$(says VOLUME) && -d $root$(says WORKDIR) ]] || fail "a folder that the Containerfile names is missing"

# The container has no env(1): the variables are passed by the shell.
read -ra variables <<<"$(says ENV | tr '\n' ' ')"
run() { exec env --ignore-environment "${variables[@]}" HOSTLER_ADMIN_PASSWORD="$password" "$chroot" --userspec="$user" "$root" "$@"; }
chroot=$(command -v chroot)
read -ra command <<<"$(words "$(says ENTRYPOINT)") $(words "$(says CMD)")"
read -ra check <<<"$(words "$(says HEALTHCHECK | sed 's/.*CMD //')")"

step "it starts"
# As every container engine does.
mkdir --parents "$root/proc"
mount -t proc proc "$root/proc"
run "${command[@]}" >/tmp/said 2>/tmp/log &
server=$!
curl --silent --fail --output /dev/null --retry 60 --retry-delay 1 --retry-connrefused \
    "http://127.0.0.1:$(says EXPOSE)/readyz" || fail "the server does not get ready: $(cat /tmp/said /tmp/log)"

step "it serves"
me=$(curl --silent --fail --user "admin:$password" "http://127.0.0.1:$(says EXPOSE)/api/v2/me/")
[[ $me == *'"username":"admin"'* ]] || fail "it does not know its superuser: $(tail -n 3 /tmp/log)"
(run "${check[@]}") || fail "its health check fails"

step "it stops, and is no longer healthy"
kill "-$(says STOPSIGNAL | sed s/SIG//)" $server
wait $server || fail "it ends with status $?: $(tail -n 3 /tmp/log)"
(run "${check[@]}") 2>/dev/null && fail "its health check finds a server that has ended"
[[ -z $(find "$root$(says VOLUME)" ! -uid "${user%:*}") ]] || fail "data belong to another user"
