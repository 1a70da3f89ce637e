package netpol
