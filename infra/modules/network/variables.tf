variable "name" {
  description = "Name of the network, for tags."
  type        = string
  default     = "beam"
}

variable "zones" {
  description = "Availability zones, two at least: active and standby must not fail together."
  type        = list(string)

  validation {
    condition     = length(distinct(var.zones)) >= 2 && length(distinct(var.zones)) == length(var.zones)
    error_message = "`zones` names ${length(distinct(var.zones))} zone(s) ${jsonencode(var.zones)}: name two or three different ones, such as [\"eu-central-1a\", \"eu-central-1b\"], so that a standby outlives the active's zone."
  }
}

variable "cidr" {
  description = "IPv4 range of the VPC, /16 to /22."
  type        = string
  default     = "10.42.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 22, false)
    error_message = "`cidr` is ${jsonencode(var.cidr)}: give an IPv4 range between /16 and /22, such as 10.42.0.0/16."
  }
}

variable "nat" {
  description = "NAT gateways, by which validators reach AWS IoT and downloads: `one` (cheaper; its zone's failure cuts all validators off), or `per_zone`."
  type        = string
  default     = "per_zone"

  validation {
    condition     = contains(["one", "per_zone"], var.nat)
    error_message = "`nat` is ${jsonencode(var.nat)}: it is per_zone, or one where cost counts more than a zone's failure. Validators need it: they have no public address."
  }
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
