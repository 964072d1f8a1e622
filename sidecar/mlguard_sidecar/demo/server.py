"""The demo's model server: a real one in small, with ML Guard's SDK inside.

`python -m mlguard_sidecar.demo.server --socket PATH` trains the model, listens on a free loopback
port and says so in one JSON line on standard output. It answers
`POST /v1/models/late:predict` with KServe's V1 shapes, `{"instances": [..]}` to
`{"predictions": [..]}`, and logs one event for each instance. It ends on SIGTERM, and when
standard input closes, which is how it notices that the demo is gone.
"""

import argparse
import asyncio
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
from aiohttp import web

from mlguard import Guard
from mlguard_sidecar.demo.flights import Value, find_data, load
from mlguard_sidecar.demo.model import JANUARY_HOURS, Model, train

PROJECT = "nyc-flights"
MODEL = "late"
PATH = f"/v1/models/{MODEL}:predict"
_MAX_BODY = 8 * 1024 * 1024
_FLUSH_SECONDS = 3.0
# The year at full speed on a busy machine: rather some memory for a while than dropped events
# when the sidecar gets no processor for seconds.
_QUEUE = 200_000


class Question(msgspec.Struct):
    """What a client asks: flights, each as feature to value."""

    instances: list[dict[str, Value]]


class Prediction(msgspec.Struct):
    """The answer for one flight: 1 when it is called late, and the probability of that."""

    late: int
    probability: float


class Answer(msgspec.Struct):
    """One prediction for each instance, in their order."""

    predictions: list[Prediction]


class Ready(msgspec.Struct):
    """What the server says of itself once it can be asked."""

    url: str
    auc: float
    trained_on: int


@dataclass(frozen=True)
class Server:
    """Answers questions with `model` and tells `guard` of each."""

    model: Model
    guard: Guard
    decoder: msgspec.json.Decoder[Question]

    async def predict(self, request: web.Request) -> web.Response:
        """Predict every instance of the request; 400 tells what is wrong with it."""
        start = time.perf_counter()
        try:
            question = self.decoder.decode(await request.read())
            chances = self.model.probabilities(question.instances).tolist()
        except (msgspec.MsgspecError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        predictions = [
            Prediction(late=int(chance >= self.model.cut), probability=chance) for chance in chances
        ]
        took = (time.perf_counter() - start) * 1000
        for features, said in zip(question.instances, predictions, strict=True):
            self.guard.log(
                features=features, y_pred=said.late, y_proba=said.probability, latency_ms=took
            )
        body = msgspec.json.encode(Answer(predictions=predictions))
        return web.Response(body=body, content_type="application/json")


async def serve(socket: Path) -> None:
    """Train, serve and say so; return when told to stop."""
    flights = load(find_data())
    model = train(flights.part(0, int(flights.hours.searchsorted(JANUARY_HOURS))))
    del flights
    guard = Guard(project=PROJECT, model=MODEL, socket=socket, queue_size=_QUEUE)
    server = Server(model=model, guard=guard, decoder=msgspec.json.Decoder(Question))
    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_post(PATH, server.predict)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        told = Ready(
            url=f"http://127.0.0.1:{port}{PATH}", auc=model.auc, trained_on=model.trained_on
        )
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        sys.stdout.buffer.flush()
        await _told_to_stop()
    finally:
        await runner.cleanup()
        guard.flush(_FLUSH_SECONDS)
        guard.close()
        sys.stderr.write(f"{guard.stats()}\n")


async def _told_to_stop() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin.fileno(), stop.set)
    await stop.wait()


def main() -> None:
    """Run the server as a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="the sidecar's socket")
    asyncio.run(serve(parser.parse_args().socket))


if __name__ == "__main__":
    main()
