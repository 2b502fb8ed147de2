# The fleet table (what Commander knows) and the sign table (who may sign), each of its own.

locals {
  # Names are the contract's (protocol/), and the manifest hands them to the functions.
  fleet_table = local.functions["roles"].environment.BEAM_FLEET_TABLE
  sign_table  = local.functions["roles"].environment.BEAM_SIGN_TABLE

  sign_table_arn = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${local.sign_table}"
  beam_roles_arn = "arn:${local.partition}:iam::${local.account}:role/beam-*"
}

resource "aws_dynamodb_table" "fleet" {
  name         = local.fleet_table
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "fleet"
  range_key    = "item"
  tags         = var.tags

  attribute {
    name = "fleet"
    type = "S"
  }

  attribute {
    name = "item"
    type = "S"
  }

  server_side_encryption {
    enabled = true
  }
}

# One region, no replicas, no TTL, no backups: an older record that comes back is what must never be signed by. Where the record is
# lost, enrolment makes a new one above all that the chain has seen.
resource "aws_dynamodb_table" "sign" {
  count = var.create_sign_table ? 1 : 0

  name                        = local.sign_table
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "key"
  deletion_protection_enabled = true
  tags                        = var.tags

  attribute {
    name = "key"
    type = "S"
  }

  server_side_encryption {
    enabled = true
  }

  lifecycle {
    prevent_destroy = true
  }
}

data "aws_dynamodb_table" "sign" {
  count = var.create_sign_table ? 0 : 1

  name = local.sign_table

  lifecycle {
    postcondition {
      condition     = self.hash_key == "key" && coalesce(self.range_key, "none") == "none"
      error_message = "The table ${self.name} is not a sign table: its only key must be `key`. Set `create_sign_table` to true after renaming or removing that table by hand."
    }
    postcondition {
      condition     = length(self.replica) == 0
      error_message = "The sign table ${self.name} has replicas. A replica lags behind, so two servers could read two truths and both sign: remove every replica before you apply."
    }
    postcondition {
      condition     = !anytrue([for ttl in self.ttl : ttl.enabled])
      error_message = "The sign table ${self.name} has a TTL. It would delete the sign record, which nothing may: switch TTL off before you apply."
    }
    postcondition {
      condition     = self.deletion_protection_enabled
      error_message = "The sign table ${self.name} is not deletion protected: switch deletion protection on before you apply (aws dynamodb update-table --table-name ${self.name} --deletion-protection-enabled)."
    }
  }
}

# Whatever rights somebody has: no item of the table is replaced or deleted, and Beam's own roles can do no more than read an item and
# update it. Sentries can't even read.
resource "aws_dynamodb_resource_policy" "sign" {
  resource_arn = var.create_sign_table ? aws_dynamodb_table.sign[0].arn : data.aws_dynamodb_table.sign[0].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "NobodyReplacesOrDeletesAnItem"
        Effect    = "Deny"
        Principal = "*"
        Action = [
          "dynamodb:BatchWriteItem",
          "dynamodb:DeleteItem",
          "dynamodb:PartiQLDelete",
          "dynamodb:PartiQLInsert",
          "dynamodb:PartiQLUpdate",
          "dynamodb:PutItem",
        ]
        Resource = local.sign_table_arn
      },
      {
        Sid       = "NoServerOrFunctionChangesTheTable"
        Effect    = "Deny"
        Principal = "*"
        Action = [
          "dynamodb:DeleteResourcePolicy",
          "dynamodb:DeleteTable",
          "dynamodb:PutResourcePolicy",
          "dynamodb:UpdateTable",
          "dynamodb:UpdateTimeToLive",
        ]
        Resource  = local.sign_table_arn
        Condition = { ArnLike = { "aws:PrincipalArn" = local.beam_roles_arn } }
      },
      {
        Sid       = "SentriesHaveNothingHere"
        Effect    = "Deny"
        Principal = "*"
        Action    = "dynamodb:*"
        Resource  = local.sign_table_arn
        Condition = { ArnLike = { "aws:PrincipalArn" = "arn:${local.partition}:iam::${local.account}:role/beam-sentry-*" } }
      },
    ]
  })
}
