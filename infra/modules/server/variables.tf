variable "fleet" {
  description = "Name of the fleet."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]{1,32}$", var.fleet))
    error_message = "AWS would refuse ${jsonencode(var.fleet)} in things' and groups' names: a fleet's name has 1 to 32 of a-z, 0-9 and -. Rename it in `fleet`."
  }
}

variable "kind" {
  description = "validator or sentry."
  type        = string

  validation {
    condition     = contains(["validator", "sentry"], var.kind)
    error_message = "`kind` is ${jsonencode(var.kind)}: a server is a validator or a sentry."
  }
}

variable "node" {
  description = "The server's name in its fleet. Null: it takes the name that is on the Elastic IP that it gets (sentries)."
  type        = string
  default     = null

  validation {
    condition     = var.node == null || can(regex("^[a-z0-9-]{1,32}$", var.node))
    error_message = "AWS would refuse ${jsonencode(var.node)} in a thing's name: a server's name has 1 to 32 of a-z, 0-9 and -."
  }
}

variable "chain" {
  description = "The chain. `genesis` is a file or a .gz, checked by SHA-256 of what is downloaded. `seeds` (id@host:port, by commas) are for sentries. `untried`: it is none that Beam knows, and you mean it."
  type = object({
    id                 = string
    genesis            = object({ url = string, sha256 = optional(string) })
    minimum_gas_prices = optional(string, "0.005uatom")
    seeds              = optional(string, "")
    untried            = optional(bool, false)
  })

  validation {
    condition     = contains(["cosmoshub-4", "provider", "theta-testnet-001"], var.chain.id) || var.chain.untried
    error_message = "The chain ${jsonencode(var.chain.id)} is none that Beam knows (cosmoshub-4, provider, theta-testnet-001): correct `chain.id`, or, where you mean it, look at its slashing parameters and set `chain.untried` to true."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$", var.chain.id))
    error_message = "`chain.id` is ${jsonencode(var.chain.id)}: a chain's id has 1 to 50 letters, digits, dots, - and _."
  }

  validation {
    condition     = can(regex("^https://", var.chain.genesis.url)) && can(regex("^[0-9a-f]{64}$", var.chain.genesis.sha256))
    error_message = "`chain.genesis` needs an https:// url and the sha256 (64 hex digits, lower case) of the file behind it: download it once from a source that you trust and run `sha256sum`."
  }

  validation {
    condition     = can(regex("^[0-9.]+[a-zA-Z][a-zA-Z0-9/]*(,[0-9.]+[a-zA-Z][a-zA-Z0-9/]*)*$", var.chain.minimum_gas_prices))
    error_message = "`chain.minimum_gas_prices` is ${jsonencode(var.chain.minimum_gas_prices)}: give an amount with its denomination, such as 0.005uatom; without one the node does not start."
  }

  validation {
    condition     = can(regex("^([0-9a-f]{40}@[A-Za-z0-9.-]+:[0-9]{1,5}(,[0-9a-f]{40}@[A-Za-z0-9.-]+:[0-9]{1,5})*)?$", var.chain.seeds))
    error_message = "`chain.seeds` must be like id@host:port, by commas, without spaces."
  }
}

variable "gaiad" {
  description = "The chain's binary for Linux: where it is downloaded, and its SHA-256."
  type        = object({ url = string, sha256 = optional(string) })

  validation {
    condition     = can(regex("^https://", var.gaiad.url))
    error_message = "`gaiad.url` must be an https:// url of the chain's binary for Linux."
  }

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.gaiad.sha256))
    error_message = "`gaiad.sha256` is missing or not 64 hex digits (lower case): copy it from the SHA256SUMS of the release. A server runs no binary that it can't check."
  }
}

variable "beam" {
  description = "Beam's package (.deb or .tar.gz, made by `beam package`): where it is downloaded, and its SHA-256."
  type        = object({ url = string, sha256 = optional(string) })

  validation {
    condition     = can(regex("^https://.+[.](deb|tar[.]gz)$", var.beam.url))
    error_message = "`beam.url` must be an https:// url that ends in .deb or .tar.gz: `beam package` makes both."
  }

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.beam.sha256))
    error_message = "`beam.sha256` is missing or not 64 hex digits (lower case): run `sha256sum` on the package that you uploaded."
  }
}

variable "node_js" {
  description = "Node 20.19 or newer as the .tar.gz of nodejs.org, with its SHA-256. Null: the distribution's package nodejs (Debian 13 has one that is new enough)."
  type        = object({ url = string, sha256 = optional(string) })
  default     = null

  validation {
    condition     = var.node_js == null || (can(regex("^https://.+[.]tar[.]gz$", var.node_js.url)) && can(regex("^[0-9a-f]{64}$", var.node_js.sha256)))
    error_message = "`node_js` needs the https:// url of a .tar.gz, and its sha256 (64 hex digits, lower case) from the SHASUMS256.txt beside it."
  }
}

variable "mqtt_endpoint" {
  description = "host:port of AWS IoT (output mqtt_endpoint of modules/commander)."
  type        = string
}

variable "credentials_endpoint" {
  description = "host:port of the IoT credentials provider (output credentials_endpoint of modules/commander). A validator needs it; a sentry has none."
  type        = string
  default     = null
}

variable "region" {
  description = "Region of Commander and the sign record."
  type        = string
}

variable "claim_parameter" {
  description = "Name of the SSM parameter below which the claim certificate is: NAME/certificate and NAME/key, SecureStrings that an operator puts there. So neither is in Terraform's state."
  type        = string
  default     = "/beam/claim"

  validation {
    condition     = can(regex("^/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", var.claim_parameter))
    error_message = "`claim_parameter` is ${jsonencode(var.claim_parameter)}: the name of an SSM parameter begins with / and does not end with it, such as /beam/claim."
  }
}

variable "mode" {
  description = "How far Beam is trusted with the server (docs/stages.md)."
  type        = string
  default     = "sign"

  validation {
    condition     = contains(["monitor", "config", "dry-run", "sign"], var.mode)
    error_message = "`mode` is ${jsonencode(var.mode)}: it is one of monitor, config, dry-run, sign (docs/stages.md)."
  }
}

variable "data_volume_id" {
  description = "EBS volume for the chain's data. Null: it is on the root volume."
  type        = string
  default     = null
}

variable "consensus_key_arn" {
  description = "KMS key that the validator signs with. Null: a key file, which an operator puts there."
  type        = string
  default     = null
}
