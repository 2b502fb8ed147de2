# The provider is a mock: nothing here reaches AWS.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
}

variables {
  zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
}

run "three_zones" {
  command = plan
  assert {
    condition     = length(aws_subnet.private) == 3 && alltrue([for subnet in aws_subnet.private : !subnet.map_public_ip_on_launch])
    error_message = "Private subnets give no public address."
  }
  assert {
    condition     = length(distinct(concat([for subnet in aws_subnet.private : subnet.cidr_block], [for subnet in aws_subnet.public : subnet.cidr_block]))) == 6
    error_message = "Ranges do not meet."
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 3
    error_message = "Each zone has its own NAT."
  }
  assert {
    condition     = aws_vpc_endpoint.dynamodb.service_name == "com.amazonaws.eu-central-1.dynamodb"
    error_message = "The sign record is reached by the endpoint."
  }
}

run "one_nat_where_cost_counts" {
  command = plan
  variables {
    nat = "one"
  }
  assert {
    condition     = keys(aws_nat_gateway.this) == ["eu-central-1a"] && length(aws_route.private) == 3
    error_message = "All zones use the one."
  }
}

run "one_zone" {
  command = plan
  variables {
    zones = ["eu-central-1a"]
  }
  expect_failures = [var.zones]
}

run "one_zone_twice" {
  command = plan
  variables {
    zones = ["eu-central-1a", "eu-central-1a"]
  }
  expect_failures = [var.zones]
}

run "a_range_that_is_too_small" {
  command = plan
  variables {
    cidr = "10.0.0.0/24"
  }
  expect_failures = [var.cidr]
}

run "no_nat" {
  command = plan
  variables {
    nat = "none"
  }
  expect_failures = [var.nat]
}
