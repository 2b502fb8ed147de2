variable "fleets" {
  description = "Names of the fleets whose servers this Commander looks after. A fleet is one validator identity on one chain."
  type        = set(string)

  validation {
    condition     = length(var.fleets) > 0
    error_message = "There is no fleet: name at least one in `fleets`, such as [\"hub\"]."
  }

  validation {
    condition = alltrue([for fleet in var.fleets : can(regex("^[a-z0-9-]{1,32}$", fleet))])
    error_message = format(
      "AWS would refuse these names of fleets: %s. A name has 1 to 32 of a-z, 0-9 and - (it becomes part of things', groups' and roles' names): rename them in `fleets`.",
      join(", ", [for fleet in var.fleets : jsonencode(fleet) if !can(regex("^[a-z0-9-]{1,32}$", fleet))]),
    )
  }
}

variable "lambda_packages" {
  description = "Path of each function's zip by its name in lambdas/manifest.json. `npm run bundle` writes them to dist/lambdas/<name>.zip."
  type        = map(string)

  validation {
    condition = alltrue([for path in values(var.lambda_packages) : fileexists(path)])
    error_message = format(
      "There is no file %s: run `npm run bundle`, or correct the path in `lambda_packages`.",
      join(", ", [for path in values(var.lambda_packages) : path if !fileexists(path)]),
    )
  }
}

variable "lambda_runtime" {
  description = "Node.js on which the functions run."
  type        = string
  default     = "nodejs22.x"

  validation {
    condition     = contains(["nodejs20.x", "nodejs22.x", "nodejs24.x"], var.lambda_runtime)
    error_message = "Beam is tested on nodejs20.x, nodejs22.x and nodejs24.x: set `lambda_runtime` to one of them."
  }
}

variable "instance_certificates" {
  description = "AWS's RSA public certificate of the region that the servers are in, PEM (EC2 user guide, \"AWS public certificates\", RSA; several one after the other). With it `beam fleet admit --instance` admits EC2 instances by their identity documents. Empty: servers are admitted by name alone."
  type        = string
  default     = ""

  validation {
    condition     = var.instance_certificates == "" || can(regex("-----BEGIN CERTIFICATE-----", var.instance_certificates))
    error_message = "`instance_certificates` has no certificate in PEM in it: paste AWS's RSA public certificate of the region, with its -----BEGIN CERTIFICATE----- line."
  }

  validation {
    condition     = length(var.instance_certificates) <= 3000
    error_message = "`instance_certificates` has more than 3,000 characters, and a function's environment takes 4 KB: give the certificates of the servers' regions alone."
  }
}

variable "reserve_concurrency" {
  description = "Reserve each function's concurrency as lambdas/manifest.json says. A new AWS account has too little to reserve from: set it to false there until the quota `Concurrent executions` is raised. Decisions stay right without it, as every write is conditional."
  type        = bool
  default     = true
}

variable "create_sign_table" {
  description = "False where the sign table is there already: `terraform destroy` leaves it, as it is deletion protected. It is checked then, and never changed."
  type        = bool
  default     = true
}

variable "consensus_key_arns" {
  description = "KMS keys (spec ECC_NIST_EDWARDS25519) that validators sign with. Empty: consensus keys are files."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.consensus_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "Each of `consensus_key_arns` must be the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias: IAM looks at the key."
  }
}

variable "alert_emails" {
  description = "Who gets alarms by e-mail. AWS sends each a mail that asks for consent."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "Each of `alert_emails` must be an e-mail address, such as ops@example.com."
  }
}

variable "alarms_of_each" {
  description = "Alarms on the errors and throttling of every function, and on every rule that loses a message, where false watches what nothing repeats or repairs. 13 metrics more, 0.10 USD a month each."
  type        = bool
  default     = false
}

variable "alerts_kms_key_arn" {
  description = "KMS key of the alerts topic. Its key policy must let cloudwatch.amazonaws.com use it. Null: not encrypted at rest; alerts hold no secrets."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that the functions' logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 days, or a longer one of its list: set `log_retention_days` to one of them."
  }
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
