# What a server is told, and what is refused before it is told anything. No provider is needed.

variables {
  kind          = "validator"
  node          = "a"
  fleet         = "hub"
  mqtt_endpoint = "abc123-ats.iot.eu-central-1.amazonaws.com:8883"
  region        = "eu-central-1"
  chain = {
    id      = "cosmoshub-4"
    genesis = { url = "https://example.com/genesis.json.gz", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
  }
  gaiad = { url = "https://example.com/gaiad", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
  beam  = { url = "https://example.com/beam_0.1.0_arm64.deb", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
}

run "a_validator" {
  command = plan
  variables {
    data_volume_id = "vol-0123456789abcdef0"
  }
  assert {
    condition     = startswith(output.user_data, "#cloud-config\n") && can(yamldecode(output.user_data))
    error_message = "It is cloud-init's YAML."
  }
  assert {
    condition     = length(output.user_data_base64) <= 16384
    error_message = "EC2 takes 16 KB of user data."
  }
  assert {
    condition     = strcontains(yamldecode(output.user_data).write_files[0].content, "GAIAD_SHA256='aaaa") && strcontains(yamldecode(output.user_data).write_files[0].content, "DATA_VOLUME_ID='vol-0123456789abcdef0'")
    error_message = "Settings reach the server."
  }
  assert {
    condition     = yamldecode(output.user_data).write_files[1].content == file("files/install.sh")
    error_message = "The script is the one that is tested."
  }
}

run "a_gaiad_without_checksum" {
  command = plan
  variables {
    gaiad = { url = "https://example.com/gaiad" }
  }
  expect_failures = [var.gaiad]
}

run "a_gaiad_with_half_a_checksum" {
  command = plan
  variables {
    gaiad = { url = "https://example.com/gaiad", sha256 = "abc" }
  }
  expect_failures = [var.gaiad]
}

run "a_gaiad_without_tls" {
  command = plan
  variables {
    gaiad = { url = "http://example.com/gaiad", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
  }
  expect_failures = [var.gaiad]
}

run "a_beam_without_checksum" {
  command = plan
  variables {
    beam = { url = "https://example.com/beam_0.1.0_arm64.deb" }
  }
  expect_failures = [var.beam]
}

run "a_node_js_without_checksum" {
  command = plan
  variables {
    node_js = { url = "https://example.com/node.tar.gz" }
  }
  expect_failures = [var.node_js]
}

run "an_unknown_chain" {
  command = plan
  variables {
    chain = { id = "cosmoshub-44", genesis = { url = "https://example.com/g.json", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" } }
  }
  expect_failures = [var.chain]
}

run "an_unknown_chain_that_is_meant" {
  command = plan
  variables {
    chain = { id = "osmosis-1", untried = true, genesis = { url = "https://example.com/g.json", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" } }
  }
  assert {
    condition     = strcontains(output.user_data, "osmosis-1")
    error_message = "It is taken."
  }
}

run "a_genesis_without_checksum" {
  command = plan
  variables {
    chain = { id = "cosmoshub-4", genesis = { url = "https://example.com/g.json" } }
  }
  expect_failures = [var.chain]
}

run "a_fleet_name_that_aws_would_refuse" {
  command = plan
  variables {
    fleet = "Hub_1"
  }
  expect_failures = [var.fleet]
}

run "a_node_name_that_aws_would_refuse" {
  command = plan
  variables {
    node = "a_b"
  }
  expect_failures = [var.node]
}

run "a_kind_that_there_is_not" {
  command = plan
  variables {
    kind = "archive"
  }
  expect_failures = [var.kind]
}

run "a_mode_that_there_is_not" {
  command = plan
  variables {
    mode = "on"
  }
  expect_failures = [var.mode]
}

run "a_parameter_name_that_ssm_would_refuse" {
  command = plan
  variables {
    claim_parameter = "beam/claim/"
  }
  expect_failures = [var.claim_parameter]
}
