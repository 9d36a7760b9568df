"""The affected lab: watched for tests that --jarvis-affected would leave out although a commit changed their code."""
