"""What every daemon of the project needs: configuration, logs, samples, a database, HTTP."""
