"""Commits one row after another, each with a number of its own, and says which of them were acknowledged, and when."""

import sys
import time

import psycopg2

number = int(time.time() * 1000) * 1000
connection = None
while True:
    number += 1
    try:
        if connection is None:
            connection = psycopg2.connect(sys.argv[1], connect_timeout=2, tcp_user_timeout=3000)
            connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("insert into written values (%s)", (number,))
        print(number, f"{time.time():.3f}", flush=True)
    except psycopg2.Error as error:
        print("error", str(error).strip().splitlines()[0], file=sys.stderr, flush=True)
        connection = None
        time.sleep(0.2)
    time.sleep(0.05)
