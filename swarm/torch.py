"""swarm.torch: training with a swarm in a PyTorch loop of your own.

import swarm.torch

with swarm.torch.Swarm(model, optimizer, "10.0.0.5:7001") as s:
    for x, y in loader:
        loss = loss_function(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        s.step_end(examples=len(x))
"""

from swarm.peer.federation.own_loop.torch_loop import Swarm

__all__ = ["Swarm"]
