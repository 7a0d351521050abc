"""The faithfulness evaluator of arize-phoenix-evals, over a data frame."""

import os

import pandas as pd
from phoenix.evals import LLM, async_evaluate_dataframe
from phoenix.evals.metrics.faithfulness import FaithfulnessEvaluator

from benchmarks.judge_clients import Ends, Stopwatch, Task


async def judge_all(task: Task, stopwatch: Stopwatch) -> Ends:
    """Its own evaluator, executor and retries; what fails is left in the frame."""
    os.environ["OPENAI_API_KEY"] = "none"
    frame = pd.DataFrame(
        {
            "input": [item["question"] for item in task.items],
            "output": [item["answer"] for item in task.items],
            "context": ["\n\n".join(item["documents"]) for item in task.items],
        }
    )
    model = LLM(provider="openai", model="mock", base_url=task.url, timeout=task.timeout_s)
    evaluator = FaithfulnessEvaluator(llm=model)
    with stopwatch:
        done = await async_evaluate_dataframe(
            dataframe=frame,
            evaluators=[evaluator],
            concurrency=task.in_flight,
            hide_tqdm_bar=True,
            exit_on_error=False,
        )
    details = done["faithfulness_execution_details"]
    return Ends(
        scored=int(done["faithfulness_score"].notna().sum()),
        failed=sum(each["status"] == "FAILED" for each in details),
    )
