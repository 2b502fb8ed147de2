variable "region" {
  description = "Region of everything."
  type        = string
  default     = "eu-central-1"
}

variable "zones" {
  description = "Availability zones of that region, two or three. The validators stand in the first two."
  type        = list(string)
  default     = ["eu-central-1a", "eu-central-1b"]

  validation {
    condition     = length(distinct(var.zones)) >= 2
    error_message = "`zones` names ${length(distinct(var.zones))} zone(s): name two different ones at least, so that a standby outlives the active's zone."
  }
}

variable "fleet" {
  description = "Name of the fleet, 1 to 32 of a-z, 0-9 and -."
  type        = string
  default     = "hub"
}

variable "chain" {
  description = "The chain (modules/server)."
  type = object({
    id                 = string
    genesis            = object({ url = string, sha256 = optional(string) })
    minimum_gas_prices = optional(string, "0.005uatom")
    seeds              = optional(string, "")
    untried            = optional(bool, false)
  })
}

variable "gaiad" {
  description = "The chain's binary for Linux on arm64, with its SHA-256."
  type        = object({ url = string, sha256 = optional(string) })
}

variable "beam" {
  description = "Beam's package for arm64 (`beam package --arch arm64`), where the servers can download it, with its SHA-256."
  type        = object({ url = string, sha256 = optional(string) })
}

variable "data_snapshot_id" {
  description = "EBS snapshot with the chain's data. Null: the nodes sync from the network."
  type        = string
  default     = null
}

variable "consensus_key" {
  description = "file or kms."
  type        = string
  default     = "file"
}

variable "alert_emails" {
  description = "Who gets alarms."
  type        = set(string)
  default     = []
}

variable "instance_certificates" {
  description = "AWS's RSA public certificate of the region, PEM: with it, `beam fleet admit --instance` admits servers by their instances. Empty: by name alone."
  type        = string
  default     = ""
}

variable "lambdas" {
  description = "Folder of the functions' zips. Null: dist/lambdas of this checkout."
  type        = string
  default     = null
}
