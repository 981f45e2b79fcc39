"""What an audit says, in the forms that people, machines and build servers read."""
