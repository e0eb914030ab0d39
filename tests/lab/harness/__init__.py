"""The lab: a client, a balancer and real servers in network namespaces, raised for a test and always taken away again."""
