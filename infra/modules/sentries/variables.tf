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

variable "subnet_ids" {
  description = "Public subnets by zone, in two zones at least (output public_subnet_ids of modules/network)."
  type        = map(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "`subnet_ids` has ${length(var.subnet_ids)} zone(s): give public subnets of two zones at least, so that a zone's failure leaves a sentry."
  }
}

variable "nodes" {
  description = "Names of the sentries. Each has an Elastic IP of its own, and with it its name."
  type        = set(string)
  default     = ["s1", "s2"]

  validation {
    condition     = length(var.nodes) >= 2
    error_message = "`nodes` names ${length(var.nodes)} sentry: name two at least, or a single failure cuts the validators off the chain."
  }

  validation {
    condition     = alltrue([for node in var.nodes : can(regex("^[a-z0-9-]{1,32}$", node))])
    error_message = "AWS would refuse one of ${jsonencode(var.nodes)} in a thing's name: a sentry's name has 1 to 32 of a-z, 0-9 and -. Rename it in `nodes`."
  }
}

variable "instance_type" {
  description = "Of the sentries."
  type        = string
  default     = "m7g.xlarge"
}

variable "volume_gb" {
  description = "Root volume, the chain's data with it."
  type        = number
  default     = 500

  validation {
    condition     = var.volume_gb >= 30
    error_message = "`volume_gb` is ${var.volume_gb}: a sentry keeps the chain's data on it, so give 30 GB at least, and some hundred for a real chain."
  }
}

variable "volume_kms_key_arn" {
  description = "KMS key of the volumes. Null: the account's default for EBS."
  type        = string
  default     = null
}
