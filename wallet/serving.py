"""API and worker of one deployment in this process, until SIGTERM or Ctrl-C."""

import signal

import uvicorn
from fastapi import FastAPI

from wallet.bootstrap import Deployment
from wallet.service import build_worker, start_metrics


def serve_until_stopped(deployment: Deployment, app: FastAPI) -> None:
    """Serve `app` and do all recurring work; everything is given back at the end."""
    worker = build_worker(deployment)
    settings = deployment.settings
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.api_host,
            port=settings.api_port,
            log_level="warning",
            access_log=False,
            server_header=False,
        )
    )
    end_metrics = start_metrics(deployment, worker)
    worker.start()
    # Once it has stopped, uvicorn raises the signal again: that must not end us before the rest.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    finally:
        end_metrics()
        worker.stop()
        deployment.leases.release()
        deployment.close()
