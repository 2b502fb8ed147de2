variable "fleet" {
  description = "Name of the fleet."
  type        = string
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
}

variable "gaiad" {
  description = "The chain's binary for Linux: where it is downloaded, and its SHA-256."
  type        = object({ url = string, sha256 = optional(string) })
}

variable "beam" {
  description = "Beam's package (.deb or .tar.gz, made by `beam package`): where it is downloaded, and its SHA-256."
  type        = object({ url = string, sha256 = optional(string) })
}

variable "node_js" {
  description = "Node 20.19 or newer as the .tar.gz of nodejs.org, with its SHA-256. Null: the distribution's package nodejs (Debian 13 has one that is new enough)."
  type        = object({ url = string, sha256 = optional(string) })
  default     = null
}

variable "mqtt_endpoint" {
  description = "host:port of AWS IoT (output mqtt_endpoint of modules/commander)."
  type        = string
}

variable "credentials_endpoint" {
  description = "host:port of the IoT credentials provider (output credentials_endpoint of modules/commander), by which a validator's signer gets at the record."
  type        = string
}

variable "region" {
  description = "Region of Commander and the sign record."
  type        = string
}

variable "claim_parameter" {
  description = "Name of the SSM parameter below which the claim certificate is: NAME/certificate and NAME/key, SecureStrings that an operator puts there. So neither is in Terraform's state."
  type        = string
  default     = "/beam/claim"
}

variable "mode" {
  description = "How far Beam is trusted with the server (docs/stages.md)."
  type        = string
  default     = "sign"
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "ami_id" {
  description = "Image of the servers. Null: the newest Debian 13 of `architecture`."
  type        = string
  default     = null
}

variable "architecture" {
  description = "arm64 or amd64: of the instance type, gaiad's binary and Beam's package."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "amd64"], var.architecture)
    error_message = "`architecture` is ${jsonencode(var.architecture)}: it is arm64 or amd64, as Debian names them."
  }
}

variable "ssh_key_name" {
  description = "EC2 key pair for operators. Null: none."
  type        = string
  default     = null
}

variable "ssh_security_group_ids" {
  description = "Who may open SSH: security groups of a bastion or of an EC2 Instance Connect Endpoint."
  type        = set(string)
  default     = []
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}

variable "validators" {
  description = "Validators by name: active and standby, each in a zone of its own."
  type        = map(object({ zone = string, subnet_id = string }))

  validation {
    condition     = length(distinct([for validator in values(var.validators) : validator.zone])) >= 2
    error_message = "`validators` has ${length(var.validators)} validator(s) in ${length(distinct([for validator in values(var.validators) : validator.zone]))} zone(s): name an active and a standby in two zones at least, so that one zone's failure does not stop both."
  }

  validation {
    condition     = alltrue([for node in keys(var.validators) : can(regex("^[a-z0-9-]{1,32}$", node))])
    error_message = "AWS would refuse one of ${jsonencode(keys(var.validators))} in a thing's name: a validator's name has 1 to 32 of a-z, 0-9 and -. Rename it in `validators`."
  }
}

variable "sentry_security_group_id" {
  description = "Security group of the fleet's sentries (output of modules/sentries): the only ones of the chain that validators speak with."
  type        = string
}

variable "instance_type" {
  description = "Of the validators."
  type        = string
  default     = "m7g.xlarge"
}

variable "data_snapshot_id" {
  description = "EBS snapshot with the chain's data (the contents of gaiad's data folder, no keys). Null: an empty volume; the node syncs from the network."
  type        = string
  default     = null

  validation {
    condition     = var.data_snapshot_id == null || can(regex("^snap-[0-9a-f]+$", var.data_snapshot_id))
    error_message = "`data_snapshot_id` is ${jsonencode(var.data_snapshot_id)}: an EBS snapshot's id is like snap-0123456789abcdef0."
  }
}

variable "data_volume" {
  description = "The volume of the chain's data."
  type        = object({ size_gb = optional(number, 500), iops = optional(number, 6000), throughput_mbps = optional(number, 250) })
  default     = {}

  validation {
    condition     = var.data_volume.size_gb >= 20 && var.data_volume.iops >= 3000 && var.data_volume.iops <= 16000 && var.data_volume.throughput_mbps >= 125 && var.data_volume.throughput_mbps <= 1000
    error_message = "`data_volume` is a gp3 volume: size_gb from 20 on, iops 3000 to 16000, throughput_mbps 125 to 1000."
  }
}

variable "volume_kms_key_arn" {
  description = "KMS key of the volumes. Null: the account's default for EBS."
  type        = string
  default     = null
}

variable "consensus_key" {
  description = "`file`: an operator puts a key file on each validator. `kms`: this module makes a KMS key that no host can export; its ARN goes to modules/commander."
  type        = string
  default     = "file"

  validation {
    condition     = contains(["file", "kms"], var.consensus_key)
    error_message = "`consensus_key` is ${jsonencode(var.consensus_key)}: it is file or kms (docs/keys.md)."
  }
}
