"""The demonstration's model server, which uses the SDK.

`python -m mlguard_demo.model_server --socket PATH` trains the model, listens on a free loopback
port and prints one line of JSON with its URL. `POST /v1/models/late:predict` takes and answers the
messages of KServe's V1 protocol, `{"instances": [..]}` and `{"predictions": [..]}`; one event is
logged for each instance. The server ends on SIGTERM, and when its standard input closes, which
happens when the demonstration has ended.
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
from mlguard_demo.classifier import JANUARY_HOURS, Classifier, train
from mlguard_demo.flights import find_data, load
from mlguard_demo.messages import (
    ErrorResponse,
    ModelServerInfo,
    Prediction,
    PredictRequest,
    PredictResponse,
)
from mlguard_demo.names import ENDPOINT, MODEL, PROJECT

PATH = f"/v1/models/{MODEL}:predict"
_MAX_BODY_BYTES = 8 * 1024 * 1024
_FLUSH_SECONDS = 3.0
# The year at full speed on a busy machine: the queue holds what the sidecar does not read for
# seconds, so that no event is dropped.
_QUEUE_SIZE = 200_000


@dataclass(frozen=True)
class Server:
    """The HTTP handler: predicts with a classifier, and logs to a guard."""

    classifier: Classifier
    guard: Guard
    decoder: msgspec.json.Decoder[PredictRequest]

    async def predict(self, request: web.Request) -> web.Response:
        """Predict every instance of a request; status 400 if it is invalid."""
        start = time.perf_counter()
        try:
            instances = self.decoder.decode(await request.read()).instances
            probabilities = self.classifier.probabilities(instances).tolist()
        except (msgspec.MsgspecError, ValueError) as error:
            return _response(ErrorResponse(str(error)), status=400)
        cutoff = self.classifier.cutoff
        predictions = [Prediction(late=int(p >= cutoff), probability=p) for p in probabilities]
        latency_ms = (time.perf_counter() - start) * 1000
        for features, each in zip(instances, predictions, strict=True):
            self.guard.log(
                features=features,
                y_pred=each.late,
                y_proba=each.probability,
                latency_ms=latency_ms,
            )
        return _response(PredictResponse(predictions))


def _response(message: msgspec.Struct, status: int = 200) -> web.Response:
    body = msgspec.json.encode(message)
    return web.Response(body=body, status=status, content_type="application/json")


async def serve(socket: Path) -> None:
    """Train, serve and print the URL; return when the server should end."""
    flights = load(find_data())
    classifier = train(flights.part(0, int(flights.hours.searchsorted(JANUARY_HOURS))))
    del flights
    guard = Guard(
        project=PROJECT, model=MODEL, endpoint=ENDPOINT, socket=socket, queue_size=_QUEUE_SIZE
    )
    server = Server(classifier, guard, msgspec.json.Decoder(PredictRequest))
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app.router.add_post(PATH, server.predict)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        info = ModelServerInfo(
            f"http://127.0.0.1:{port}{PATH}", classifier.auc, classifier.trained_on
        )
        sys.stdout.buffer.write(msgspec.json.encode(info) + b"\n")
        sys.stdout.buffer.flush()
        await _wait_for_stop()
    finally:
        await runner.cleanup()
        guard.flush(_FLUSH_SECONDS)
        guard.close()
        sys.stderr.write(f"{guard.stats()}\n")


async def _wait_for_stop() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin.fileno(), stop.set)
    await stop.wait()


def main() -> None:
    """Run the server as a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="the sidecar's event socket")
    asyncio.run(serve(parser.parse_args().socket))


if __name__ == "__main__":
    main()
