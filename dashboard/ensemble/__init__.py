"""Ensembles over HTTP: what they are, and questions to them.

finding         which ensemble an address names
asking          asks on behalf of HTTP clients, a bounded number at once
ensemble_api    `/api/v1/ensembles`: members, matrix, predict
inference_api   `/v2`: the Open Inference Protocol, for existing clients
inference       requests and answers of that protocol, as plain values
tensors         its tensors, in JSON and in the binary form
"""
