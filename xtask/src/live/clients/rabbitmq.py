"""A publisher or a consumer of a quorum queue, for the live tests.

usage: rabbitmq.py new|publish|consume HOST...

new      makes the queue anew, empty, with a copy on every member
publish  reads numbers, a line each, and answers each with "acknowledged" (the broker has confirmed it: a majority of the queue's
         copies has it on disk) or "failed: why"
consume  prints every number it receives, and acknowledges it once it is printed

Both connect to the first host that answers, and again to another when the connection breaks.
"""

import signal
import sys
import time

import pika

QUEUE = "lab.written"
# How long connecting may take: on a busy machine, or where the first host is gone.
CONNECTED_WITHIN = 5.0
# A message that is not confirmed within this long counts as failed.
WITHIN = 2.0


def connect(hosts):
    parameters = [
        pika.ConnectionParameters(
            host=host,
            heartbeat=2,
            socket_timeout=1,
            stack_timeout=2,
            blocked_connection_timeout=WITHIN,
            connection_attempts=1,
        )
        for host in hosts
    ]
    return pika.BlockingConnection(parameters)


def declare(channel):
    channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})


def give_up(_signal, _frame):
    raise TimeoutError("no answer in time")


def new(hosts):
    channel = connect(hosts).channel()
    channel.queue_delete(QUEUE)
    declare(channel)


def publish(hosts):
    signal.signal(signal.SIGALRM, give_up)
    connection = channel = None
    for line in sys.stdin:
        try:
            if channel is None:
                signal.setitimer(signal.ITIMER_REAL, CONNECTED_WITHIN)
                connection = connect(hosts)
                channel = connection.channel()
                channel.confirm_delivery()
            signal.setitimer(signal.ITIMER_REAL, WITHIN)
            # Returns when it is confirmed; a message that reaches no queue is an error.
            channel.basic_publish(
                "", QUEUE, line.strip().encode(), pika.BasicProperties(delivery_mode=2), mandatory=True
            )
            answer = "acknowledged"
        except Exception as error:
            answer = "failed: %r" % error
            channel = None
            # Dropped, not closed: closing waits for a broker that may be gone. Another host is tried first.
            hosts = hosts[1:] + hosts[:1]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(answer, flush=True)


def consume(hosts):
    while True:
        try:
            channel = connect(hosts).channel()
            channel.basic_qos(prefetch_count=50)
            for method, _, body in channel.consume(QUEUE):
                print(body.decode(), flush=True)
                channel.basic_ack(method.delivery_tag)
        except BrokenPipeError:
            return
        except Exception as error:
            print("%r" % error, file=sys.stderr, flush=True)
            hosts = hosts[1:] + hosts[:1]
            time.sleep(0.2)


{"new": new, "publish": publish, "consume": consume}[sys.argv[1]](sys.argv[2:])
