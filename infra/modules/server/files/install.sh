#!/bin/bash
# Makes a fresh server one of Beam's. Each step may be repeated: beam-install.service starts it again until it ends well.
# Settings: /etc/beam/install.env, from Terraform (infra/modules/server). What is downloaded is checked before it is used.
set -euo pipefail
umask 022

: "${INSTALL_ENV:=/etc/beam/install.env}"
gaiad_home=/var/lib/gaiad
beam_home=/var/lib/beam
disks=/dev/disk/by-id
metadata_service=http://169.254.169.254/latest
# shellcheck source=/dev/null
. "$INSTALL_ENV"
export AWS_DEFAULT_REGION=$REGION
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "beam-install: $*" >&2
  exit 1
}

# fetch URL SHA256 FILE: downloads, and keeps what has that checksum only.
fetch() {
  local url=$1 sha256=$2 file=$3
  [[ $sha256 =~ ^[0-9a-f]{64}$ ]] || fail "there is no SHA-256 for $url: set it in Terraform"
  curl --fail --silent --show-error --location --retry 5 --retry-delay 2 --output "$file.part" "$url" ||
    fail "$url could not be downloaded; it will be tried again"
  local found
  found=$(sha256sum "$file.part" | cut -d' ' -f1)
  if [[ $found != "$sha256" ]]; then
    rm -f "$file.part"
    fail "$url has the SHA-256 $found, and $sha256 was to be: it is not used. Correct the checksum, or ask who changed the file"
  fi
  mv "$file.part" "$file"
}

metadata() {
  local token
  token=$(curl --fail --silent --show-error -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata_service/api/token")
  curl --fail --silent --show-error -H "X-aws-ec2-metadata-token: $token" "$metadata_service/meta-data/$1"
}

install_node_js() {
  if [[ -n $NODE_JS_URL ]]; then
    fetch "$NODE_JS_URL" "$NODE_JS_SHA256" "$work/node.tar.gz"
    rm -rf /usr/local/lib/node-js
    mkdir -p /usr/local/lib/node-js
    tar -xzf "$work/node.tar.gz" -C /usr/local/lib/node-js --strip-components=1
    ln -sfn /usr/local/lib/node-js/bin/node /usr/bin/node
  elif ! command -v node >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nodejs
  fi
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node is $(node --version), and Beam needs 20.19 or newer: set node_js in Terraform"
}

install_beam() {
  local file="$work/${BEAM_URL##*/}"
  fetch "$BEAM_URL" "$BEAM_SHA256" "$file"
  if [[ $file == *.deb ]]; then
    # Node may be no package of Debian's here: then the dependency is met by hand.
    if [[ -n $NODE_JS_URL ]]; then dpkg --install --force-depends "$file"; else
      DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$file"
    fi
  else
    tar -C / -xzf "$file"
    systemd-sysusers beam.conf
    systemd-tmpfiles --create beam.conf
  fi
  systemctl daemon-reload
}

install_gaiad() {
  fetch "$GAIAD_URL" "$GAIAD_SHA256" "$work/gaiad"
  install -m 0755 "$work/gaiad" /usr/local/bin/gaiad
}

# The chain's data alone is on the volume: keys and identity stay on this machine's own.
mount_data() {
  [[ -n $DATA_VOLUME_ID ]] || return 0
  local device="$disks/nvme-Amazon_Elastic_Block_Store_${DATA_VOLUME_ID/-/}"
  [[ -e $device ]] || fail "the volume $DATA_VOLUME_ID is not attached yet; it will be looked for again"
  if ! blkid "$device" >/dev/null; then mkfs.ext4 -q -L beam-data "$device"; fi
  install -d -o gaiad -g gaiad -m 2770 "$gaiad_home/data"
  if ! grep -q "^$device " /etc/fstab; then
    echo "$device $gaiad_home/data auto defaults,nofail,noatime 0 2" >>/etc/fstab
  fi
  mountpoint -q "$gaiad_home/data" || mount "$gaiad_home/data"
  # A snapshot's owner is another machine's user.
  chown -R gaiad:gaiad "$gaiad_home/data"
}

configure_gaiad() {
  if [[ ! -f $gaiad_home/config/config.toml ]]; then
    runuser -u gaiad -- /usr/local/bin/gaiad init "$FLEET" --chain-id "$CHAIN_ID" --home "$gaiad_home" --overwrite >/dev/null
  fi
  fetch "$GENESIS_URL" "$GENESIS_SHA256" "$work/genesis"
  if [[ $GENESIS_URL == *.gz ]]; then gzip -dc <"$work/genesis" >"$work/genesis.json"; else mv "$work/genesis" "$work/genesis.json"; fi
  local found
  found=$(node -p 'JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8")).chain_id' "$work/genesis.json")
  [[ $found == "$CHAIN_ID" ]] || fail "the genesis at $GENESIS_URL is of the chain $found, not $CHAIN_ID: correct chain.genesis in Terraform"
  install -o gaiad -g gaiad -m 0640 "$work/genesis.json" "$gaiad_home/config/genesis.json"
  sed -i "s|^minimum-gas-prices *=.*|minimum-gas-prices = \"$MINIMUM_GAS_PRICES\"|" "$gaiad_home/config/app.toml"
  if [[ -n $SEEDS ]]; then sed -i "s|^seeds *=.*|seeds = \"$SEEDS\"|" "$gaiad_home/config/config.toml"; fi
}

# A sentry takes one of the fleet's free Elastic IPs, and with it the name that is on it. Who else tries the same one loses.
# shellcheck disable=SC2016  # the backquotes are JMESPath's
take_address() {
  local instance free allocation name address
  instance=$(metadata instance-id)
  name=$(aws ec2 describe-addresses --filters "Name=instance-id,Values=$instance" "Name=tag:beam:fleet,Values=$FLEET" \
    --query 'Addresses[0].Tags[?Key==`beam:node`]|[0].Value' --output text)
  if [[ -z $name || $name == None ]]; then
    free=$(aws ec2 describe-addresses --filters "Name=tag:beam:fleet,Values=$FLEET" \
      --query 'Addresses[?AssociationId==null].[AllocationId,Tags[?Key==`beam:node`]|[0].Value]' --output text)
    [[ -n $free && $free != None ]] || fail "the fleet $FLEET has no Elastic IP free; it will be tried again"
    while read -r allocation name; do
      if aws ec2 associate-address --allocation-id "$allocation" --instance-id "$instance" --no-allow-reassociation >/dev/null; then
        break
      fi
      name=
    done <<<"$free"
    [[ -n $name ]] || fail "every free Elastic IP was taken meanwhile; it will be tried again"
  fi
  NODE=$name
  address=$(aws ec2 describe-addresses --filters "Name=instance-id,Values=$instance" --query 'Addresses[0].PublicIp' --output text)
  [[ $address =~ ^[0-9.]+$ ]] || fail "the Elastic IP of $NODE is not there yet; it will be tried again"
  # What it tells the chain's peers. The fleet's own reach it by its private address.
  sed -i "s|^external_address *=.*|external_address = \"$address:26656\"|" "$gaiad_home/config/config.toml"
}

configure_beam() {
  [[ ! -f $beam_home/node.toml ]] || return 0
  local address
  address=$(metadata local-ipv4)
  local options=(--packaged --fleet "$FLEET" --node "$NODE" --kind "$KIND" --zone "$(metadata placement/availability-zone)"
    --mode "$MODE" --p2p "$address:26656" --mqtt "$MQTT" --region "$REGION" --no-register)
  if [[ $KIND == validator ]]; then options+=(--chain-id "$CHAIN_ID" --credential-provider "$CREDENTIALS"); fi
  beam init "${options[@]}"
  if [[ -n $CONSENSUS_KEY_ARN ]]; then
    printf '\n[signer.kms]\nkey_id = "%s"\n' "$CONSENSUS_KEY_ARN" >>"$beam_home/config.toml"
  fi
}

# With the claim, which an operator put into SSM; only a server that was admitted gets in with it, by name or by its instance.
register() {
  [[ ! -f $beam_home/certs/device.pem.crt ]] || return 0
  install -d -o beam -g beam -m 2750 "$beam_home/certs"
  local part file
  for part in certificate:claim.pem.crt key:claim.key; do
    file="$work/${part#*:}"
    (umask 077 && aws ssm get-parameter --with-decryption --name "$CLAIM_PARAMETER/${part%%:*}" --query Parameter.Value --output text >"$file")
    install -o beam -g beam -m 0600 "$file" "$beam_home/certs/${part#*:}"
  done
  runuser -u beam -- beam register --home "$beam_home" --instance-identity ||
    fail "this server is not registered yet: beam fleet admit $FLEET $NODE --kind $KIND; it will be tried again"
}

main() {
  install_node_js
  install_beam
  install_gaiad
  mount_data
  configure_gaiad
  if [[ -z $NODE ]]; then take_address; fi
  configure_beam
  register
  # A validator's signer waits for its key and enrolment, which are an operator's: docs/package.md.
  systemctl enable --now beam.service
  touch "$beam_home/.installed"
}

# Sourced by a test, it does nothing by itself.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main; fi
