"""Makes the bundled golden set: answers whose labels are true by how they were made."""
