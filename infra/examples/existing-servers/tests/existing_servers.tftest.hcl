# The provider is a mock: nothing here reaches AWS.

mock_provider "aws" {
  source = "../../mocks"
}

run "commander_alone" {
  command = plan
  assert {
    condition     = output.mqtt_endpoint == "abc123-ats.iot.eu-central-1.amazonaws.com:8883"
    error_message = "Servers are told where to connect."
  }
}
