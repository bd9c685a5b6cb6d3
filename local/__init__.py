"""The product on one machine: emulator, fake Klaviyo, build, deployment, demo program and demo scenario."""
