"""A network and what is needed to run one."""
