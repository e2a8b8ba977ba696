"""The paper, reproduced from one configuration: stages that resume, then every table and figure from what they left."""
