"""The service a Python user would write for the same task, kept minimal and fast.

POST /auth/login gives a JWT; POST /predict checks it, asks a scikit-learn LogisticRegression, writes
one row to SQLite, commits and answers. What could be slower for no reason is not: uvloop and
httptools, handlers on the event loop (no thread hop), one statement a prediction in autocommit mode
over WAL with synchronous=NORMAL, predict_proba called once for label and confidence, the answer
serialised by pydantic.
"""

import os
import sqlite3
import time
import uuid
from datetime import datetime, timezone
from typing import Annotated

import jwt
import numpy as np
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from sklearn.linear_model import LogisticRegression

SECRET = os.environ["JWT_SECRET_KEY"]
DATABASE = os.environ["DATABASE"]
VERSION = "v20260101-000000-1"
USERS = {"admin": "admin123"}


def train() -> LogisticRegression:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((10_000, 2))
    return LogisticRegression().fit(x, (0.5 * x[:, 0] + 0.3 * x[:, 1] > 0).astype(np.uint8))


def connect() -> sqlite3.Connection:
    db = sqlite3.connect(DATABASE, isolation_level=None, timeout=30)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute(
        """CREATE TABLE IF NOT EXISTS prediction_logs (
            id INTEGER PRIMARY KEY, prediction_id TEXT, user_id INTEGER, model_version TEXT,
            feature1 REAL, feature2 REAL, prediction INTEGER, confidence REAL,
            response_time_ms REAL, created_at TEXT)"""
    )
    return db


app = FastAPI()
bearer = HTTPBearer()
model = train()
db = connect()


class Login(BaseModel):
    username: str
    password: str


class Input(BaseModel):
    features: Annotated[list[float], Field(min_length=2, max_length=2)]


class Output(BaseModel):
    prediction: int
    model_version: str
    confidence: float
    timestamp: str
    prediction_id: str


async def user(token: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> int:
    try:
        return int(jwt.decode(token.credentials, SECRET, algorithms=["HS256"])["sub"])
    except (jwt.InvalidTokenError, KeyError, ValueError):
        raise HTTPException(401, "invalid token", {"WWW-Authenticate": "Bearer"}) from None


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/auth/login")
async def login(body: Login) -> dict[str, str]:
    if USERS.get(body.username) != body.password:
        raise HTTPException(401, "wrong user name or password")
    claims = {"sub": "1", "role": "admin", "jti": uuid.uuid4().hex, "exp": int(time.time()) + 86400}
    return {"access_token": jwt.encode(claims, SECRET, "HS256"), "token_type": "bearer"}


@app.post("/predict")
async def predict(body: Input, user_id: Annotated[int, Depends(user)]) -> Output:
    started = time.perf_counter()
    p = model.predict_proba([body.features])[0]
    label = int(p[1] > p[0])
    confidence = float(p[label])
    now = datetime.now(timezone.utc)
    prediction_id = uuid.uuid4().hex
    db.execute(
        "INSERT INTO prediction_logs (prediction_id, user_id, model_version, feature1, feature2,"
        " prediction, confidence, response_time_ms, created_at) VALUES (?,?,?,?,?,?,?,?,?)",
        (
            prediction_id, user_id, VERSION, body.features[0], body.features[1], label, confidence,
            (time.perf_counter() - started) * 1000, now.strftime("%Y-%m-%d %H:%M:%S"),
        ),
    )
    return Output(
        prediction=label, model_version=VERSION, confidence=confidence,
        timestamp=now.isoformat(), prediction_id=prediction_id,
    )
