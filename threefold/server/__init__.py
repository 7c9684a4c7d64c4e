"""The server: one port for the web pages, our API, and the tracking protocol of MLflow.

Takes     a store, and requests over HTTP.
Hands on  what the rooms answer. A door holds no logic: it parses, calls one function, and writes the answer.
Start in  app.py, who answers what; mlflow/, one file for each family of routes; pages/, what people see.
"""
