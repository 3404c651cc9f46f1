"""What a framework does with DiracX's own client: all in one go. Prints what it saw, as JSON.

Runs with the Python of the client, in the environment in which `dirac login` was run; its argument is a directory to
work in.
"""

import asyncio
import json
import sys
from datetime import datetime, timezone
from pathlib import Path

from diracx.api.jobs import create_sandbox, download_sandbox
from diracx.client.aio import AsyncDiracClient
from diracx.client.models import BodyJobsRescheduleJobs, JobStatusUpdate


class Range:
    """Content-Range, as DiracX's command line reads it."""

    def __init__(self, headers):
        self.text = headers.get("Content-Range")


async def search(api, **how):
    rows, shown = await api.jobs.search(cls=lambda _, rows, headers: (rows, Range(headers)), **how)
    return rows, shown.text


async def main(work: Path):
    seen = {}
    async with AsyncDiracClient() as api:
        seen["whoami"] = (await api.auth.userinfo()).as_dict()
        seen["config"] = sorted((await api.config.serve_config())["Registry"])
        jdl = 'Executable = "/bin/echo"; JobName = "of python";'
        made = await api.jobs.submit_jdl_jobs([jdl, jdl, jdl])
        ids = [job.job_id for job in made]
        seen["submitted"] = len(ids)

        mine = [{"parameter": "JobName", "operator": "eq", "value": "of python"}]
        first, seen["first range"] = await search(
            api, parameters=["JobID", "Status"], search=mine, page=1, per_page=2
        )
        second, seen["second range"] = await search(
            api, parameters=["JobID", "Status"], search=mine, page=2, per_page=2
        )
        seen["found"] = [job["JobID"] - ids[0] for job in first + second]
        seen["statuses"] = [job["Status"] for job in first + second]

        now = datetime.now(tz=timezone.utc)
        update = JobStatusUpdate(status="Killed", minor_status="by hand", source="Test")
        changed = await api.jobs.set_job_statuses({str(ids[0]): {str(now): update}})
        seen["changed"] = [*changed.success]
        seen["changed"] = [int(job) - ids[0] for job in seen["changed"]]
        rows, _ = await search(
            api, parameters=["Status", "MinorStatus"], search=[{"parameter": "JobID", "operator": "eq", "value": str(ids[0])}]
        )
        seen["killed"] = rows
        counted = await api.jobs.summary(grouping=["Status"], search=mine)
        seen["summary"] = sorted((row["Status"], row["count"]) for row in counted)

        source = work / "input.txt"
        source.write_text("hello from python\n")
        pfn = await create_sandbox([source], client=api)
        again = await create_sandbox([source], client=api)
        back = work / "back"
        back.mkdir()
        await download_sandbox(pfn, back, client=api)
        seen["sandbox"] = (back / "input.txt").read_text()
        seen["the same sandbox"] = pfn == again
        # this client sends the text as it is, and the route reads JSON
        await api.jobs.assign_sandbox_to_job(ids[1], json.dumps(pfn))
        kept = await api.jobs.get_job_sandbox(ids[1], "output")
        seen["output sandbox"] = [pfn.endswith(one) for one in kept]

        await api.jobs.patch_metadata({ids[1]: {"HostName": "wn1"}})
        again = await api.jobs.reschedule_jobs(BodyJobsRescheduleJobs(job_ids=[ids[1]]))
        seen["rescheduled"] = [int(job) - ids[0] for job in again["success"]]
        seen["sites"] = dict(await api.rss.get_site_status())
    print(json.dumps(seen))


asyncio.run(main(Path(sys.argv[1])))
