# What a server is told at its first start, as cloud-init's user data: no secret is in it.

locals {
  settings = {
    FLEET              = var.fleet
    NODE               = var.node == null ? "" : var.node
    KIND               = var.kind
    MODE               = var.mode
    REGION             = var.region
    MQTT               = var.mqtt_endpoint
    CREDENTIALS        = var.credentials_endpoint == null ? "" : var.credentials_endpoint
    CLAIM_PARAMETER    = var.claim_parameter
    CHAIN_ID           = var.chain.id
    GENESIS_URL        = var.chain.genesis.url
    GENESIS_SHA256     = var.chain.genesis.sha256
    MINIMUM_GAS_PRICES = var.chain.minimum_gas_prices
    SEEDS              = var.kind == "sentry" ? var.chain.seeds : ""
    GAIAD_URL          = var.gaiad.url
    GAIAD_SHA256       = var.gaiad.sha256
    BEAM_URL           = var.beam.url
    BEAM_SHA256        = var.beam.sha256
    NODE_JS_URL        = var.node_js == null ? "" : var.node_js.url
    NODE_JS_SHA256     = var.node_js == null ? "" : var.node_js.sha256
    DATA_VOLUME_ID     = var.data_volume_id == null ? "" : var.data_volume_id
    CONSENSUS_KEY_ARN  = var.consensus_key_arn == null ? "" : var.consensus_key_arn
  }

  user_data = join("\n", ["#cloud-config", yamlencode({
    package_update = true
    packages       = ["ca-certificates", "curl", "awscli", "xz-utils"]
    write_files = [
      {
        path        = "/etc/beam/install.env"
        permissions = "0644"
        # Every value is of letters that the shell leaves alone, but it is quoted all the same.
        content = join("", [for name, value in local.settings : "${name}='${replace(value, "'", "")}'\n"])
      },
      {
        path        = "/usr/local/sbin/beam-install"
        permissions = "0755"
        content     = file("${path.module}/files/install.sh")
      },
      {
        path        = "/etc/systemd/system/beam-install.service"
        permissions = "0644"
        content     = file("${path.module}/files/beam-install.service")
      },
    ]
    # It goes on until all is there, the operator's admission too.
    runcmd = [["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", "--no-block", "beam-install.service"]]
  })])
}
