# SPDX-License-Identifier: Apache-2.0
"""The parts of muster-bench: a deployment on free ports, measuring, and one module a bench."""
