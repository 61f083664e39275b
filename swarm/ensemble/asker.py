"""TEMPORARY stand-in."""

import math
from swarm.core.effects import Publish, Send, Subscribe
from swarm.core.machine import SetTimer, TimerFired
from swarm.ensemble.effects import *
from swarm.ensemble.messages import *
from swarm.ensemble.roster import Roster
from swarm.ensemble.topics import ensemble_topic


class Asker:
    def __init__(self, me, spec):
        self.me, self.spec = me, spec
        self.roster = Roster()
        self.distrusted = frozenset()
        self.q = {}

    def handle(self, event, now_s):
        out = []
        match event:
            case AskerStarted():
                out.append(Subscribe(ensemble_topic(self.spec.id)))
            case MemberCard():
                self.roster.take_card(event, now_s)
            case MemberHeartbeat():
                if self.roster.take_heartbeat(event, now_s):
                    out.append(Send(event.sender, CardRequest(self.spec.id, self.me)))
            case AskRequested(number, rows, within):
                peers = self.roster.present(now_s)
                self.q[number] = (peers, {}, {})
                for p in peers:
                    out.append(
                        Send(
                            p,
                            Question(
                                self.spec.id,
                                self.me,
                                number,
                                p,
                                None,
                                within or self.spec.deadline_s,
                                rows,
                            ),
                        )
                    )
                out.append(SetTimer(f"q{number}", now_s + (within or self.spec.deadline_s)))
                if not peers:
                    out += self.end(number)
            case Answer():
                if event.number in self.q and event.owner in self.q[event.number][0]:
                    self.q[event.number][1][event.owner] = event
                    out += self.maybe(event.number)
            case Refusal():
                if event.number in self.q:
                    self.q[event.number][2][event.owner] = event.detail or event.reason
                    out += self.maybe(event.number)
            case TimerFired(name):
                n = int(name[1:])
                if n in self.q:
                    out += self.end(n)
        return out

    def maybe(self, n):
        peers, a, r = self.q[n]
        return self.end(n) if len(a) + len(r) == len(peers) else []

    def end(self, n):
        peers, a, r = self.q.pop(n)
        missing = tuple((p, r.get(p, "no answer in time")) for p in peers if p not in a)
        need = max(1, math.ceil(self.spec.quorum * len(peers)))
        if len(a) < need:
            return [QuestionFailed(n, missing, len(a), need)]
        return [
            Combine(
                n,
                tuple(
                    CountedAnswer(p, a[p].version, a[p].answers, a[p].sender) for p in sorted(a)
                ),
                missing,
            )
        ]
