"""Stdout callback of Ansible that writes each event as one line of JSON to a pipe.

The text of an event is what Ansible's default callback prints, or for ad hoc commands its callback `minimal`: this
class inherits from it, and captures what it writes. The supervisor reads the pipe, and adds the number of the event and of its first and last line.
"""

import json
import os
import random
import sys
import threading
from datetime import datetime, timezone
from functools import partial

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.plugins.callback.minimal import CallbackModule as MinimalCallback

DOCUMENTATION = """
name: hostler
type: stdout
short_description: events for Hostler
description: Prints as the default callback does, but into events.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - the environment variable HOSTLER_EVENT_PIPE with the number of an open file descriptor
"""

IS_AD_HOC = "HOSTLER_AD_HOC" in os.environ

# A larger value of `res` or `diff` becomes {}; the text of the event keeps it.
LARGEST_VALUE = 700_000
# More text continues in events of the type `verbose`, so that the supervisor needs little memory.
LARGEST_TEXT = 1 << 20

CENSORED = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"

# What Display prints in front of a message outside of any hook, and the type of the event.
MESSAGE_TYPES = (
    ("[WARNING]", "warning"),
    ("[DEPRECATION WARNING]", "deprecated"),
    ("[DEPRECATED]", "deprecated"),
    ("[ERROR]", "error"),
    ("ERROR!", "error"),
)


def now():
    return datetime.now(timezone.utc)


# Started by the system's random numbers; asking the system for each event takes longer.
RANDOM = random.Random()


def random_uuid():
    digits = "%032x" % RANDOM.getrandbits(128)
    return "%s-%s-4%s-8%s-%s" % (digits[:8], digits[8:12], digits[13:16], digits[17:20], digits[20:])


def printable(value):
    """Converts what JSON does not know."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if getattr(value, "__ENCRYPTED__", False):
        # str() would decrypt it.
        return "$encrypted$"
    return str(value)


# Kept, because json.dumps would make one for each value.
ENCODER = json.JSONEncoder(default=printable, ensure_ascii=False, skipkeys=True, allow_nan=False)
ENCODER_WITH_NAN = json.JSONEncoder(default=printable, ensure_ascii=False, skipkeys=True)


def to_json(value):
    try:
        try:
            return ENCODER.encode(value)
        except ValueError:
            # NaN and infinite numbers, which are not JSON, become texts.
            return ENCODER.encode(json.loads(ENCODER_WITH_NAN.encode(value), parse_constant=str))
    except (ValueError, RecursionError):
        return "{}"


def to_limited_json(value):
    encoded = to_json(value)
    return encoded if len(encoded) <= LARGEST_VALUE else "{}"


def members(data):
    """What is between the braces of a JSON object, with a comma at its end."""
    return to_json(data)[1:-1] + ", " if data else ""


class Capture:
    """Replaces sys.stdout or sys.stderr of the main process."""

    def __init__(self, stream, events):
        self._stream = stream
        self._events = events

    def write(self, text):
        if self._events.is_worker:
            # The supervisor reads it from the pipe of stdout.
            return self._stream.write(text)
        self._events.printed(text)
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        self._stream.flush()

    def __getattr__(self, name):
        return getattr(self._stream, name)


class EventPipe:
    """Writes events. Text that is printed inside of a hook belongs to the event of that hook."""

    def __init__(self, descriptor):
        self.pid = os.getpid()
        # Set in the processes that Ansible forks for its tasks.
        self.is_worker = False
        os.register_at_fork(after_in_child=self._forked)
        self._descriptor = descriptor
        self._lock = threading.RLock()
        # Modules do not inherit the pipe.
        os.set_inheritable(descriptor, False)
        # The text of the running hook; None outside of hooks. Other threads print at the same time.
        self._hook = threading.local()
        self._loose = ""
        self.context = lambda: ("", None)
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            stream.flush()
            setattr(sys, name, Capture(stream, self))

    def _forked(self):
        self.is_worker = True

    def printed(self, text):
        parts = getattr(self._hook, "parts", None)
        if parts is not None:
            parts.append(text)
            return
        with self._lock:
            self._loose += text
            if self._loose.endswith("\n"):
                self.write_loose_text()

    def write_loose_text(self):
        if not self._loose:
            return
        with self._lock:
            text, self._loose = self._loose, ""
            if not text:
                return
            plain = text.lstrip("\n")
            if plain.startswith("\x1b["):
                plain = plain[plain.find("m") + 1 :]
            event = next((event for start, event in MESSAGE_TYPES if plain.startswith(start)), "verbose")
            data, parent = self.context()
            self.write(event, random_uuid(), parent, data, text)

    def capture(self, hook, parts):
        """Runs the hook, and adds what the thread prints to a list."""
        before = getattr(self._hook, "parts", None)
        self._hook.parts = parts
        try:
            hook()
        finally:
            self._hook.parts = before

    def write(self, event, event_uuid, parent_uuid, data, text):
        """Writes one event. `data` has the members of its data."""
        identifier = to_json(event_uuid)
        parent = '"parent_uuid": %s, ' % to_json(parent_uuid) if parent_uuid and parent_uuid != event_uuid else ""
        stdout = to_json(text[:LARGEST_TEXT])
        self._write_line(
            '{"event": "%s", "uuid": %s, %s"pid": %d, "created": "%s", "stdout": %s, "event_data": {%s"uuid": %s}}\n'
            % (event, identifier, parent, self.pid, now().isoformat(), stdout, data, identifier)
        )
        for start in range(LARGEST_TEXT, len(text), LARGEST_TEXT):
            self.write("verbose", random_uuid(), parent_uuid, "", text[start : start + LARGEST_TEXT])

    def _write_line(self, line):
        try:
            # Bytes that were not UTF-8 are restored; the supervisor replaces them.
            rest = memoryview(line.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            rest = memoryview(line.encode("utf-8", "replace"))
        try:
            with self._lock:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
        except BrokenPipeError:
            # The supervisor was killed: nobody would see what the playbook does.
            os._exit(1)


class CallbackModule(MinimalCallback if IS_AD_HOC else DefaultCallback):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "hostler"

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        try:
            descriptor = int(os.environ.pop("HOSTLER_EVENT_PIPE"))
        except (KeyError, ValueError):
            raise AnsibleError("the callback hostler runs under Hostler only: there is no HOSTLER_EVENT_PIPE")
        self._events = EventPipe(descriptor)
        self._events.context = self._event_context
        self._playbook_data = {}
        self._play_data = {}
        self._current_task = {}
        # Data of each task of the play, by its UUID.
        self._tasks = {}
        # The members of the data that all events of a task have, by its UUID.
        self._contexts = {}
        # How often a task was started. With the strategy free, and with serial, that is more than once.
        self._starts = {}
        # When a host began with a task.
        self._begun = {}

    # Context

    def _event_context(self, task=None):
        """The members of the data that every event of the task has, or at this time, and its parent."""
        task_data = self._current_task if task is None else self._data_of_task(task)
        identifier = task_data.get("task_uuid")
        context = self._contexts.get(identifier)
        if context is None:
            context = members({**self._playbook_data, **self._play_data, **task_data})
            self._contexts[identifier] = context
        return context, identifier or self._play_data.get("play_uuid") or self._playbook_data.get("playbook_uuid")

    def _data_of_task(self, task):
        identifier = str(task._uuid)
        data = self._tasks.get(identifier)
        if data is not None:
            return data
        data = {
            "task": task.name or task.action,
            "task_uuid": identifier,
            "task_action": task.action,
            "resolved_action": getattr(task, "resolved_action", None),
            "task_args": "",
        }
        if C.DISPLAY_ARGS_TO_STDOUT:
            arguments = ", ".join("%s=%s" % argument for argument in task.args.items())
            data["task_args"] = CENSORED if task.no_log else arguments
        path = task.get_path()
        if path:
            data["task_path"] = path
        role = getattr(task, "_role", None)
        if role:
            data["role"] = getattr(role, "_role_name", str(role))
            data["resolved_role"] = role.get_name()
        self._tasks[identifier] = data
        return data

    def _write_event(self, event, hook, data=None, task=None, event_uuid=None, parent=None, more=""):
        """Runs the hook of the default callback, and writes an event with what it printed. `more` are more members."""
        self._events.write_loose_text()
        context, context_parent = self._event_context(task)
        data = context + members(data) + more
        parts = []
        try:
            self._events.capture(hook, parts)
        finally:
            self._events.write(event, event_uuid or random_uuid(), parent or context_parent, data, "".join(parts))

    def _write_result(self, event, hook, result, final=True, with_res=True, **data):
        """An event about one host's result."""
        host, task, res = (getattr(result, "_" + name) for name in ("host", "task", "result"))
        host = host.get_name()
        if final:
            end = now()
            begin = self._begun.pop((host, str(task._uuid)), end)
            data.update(
                remote_addr=host,
                start=begin.isoformat(),
                end=end.isoformat(),
                duration=round((end - begin).total_seconds(), 6),
                event_loop=getattr(task, "loop_with", None),
            )
        more = '"host": %s, ' % to_json(host)
        if with_res:
            # Before the hook, which removes values from the result.
            more += '"res": %s, ' % to_limited_json(res)
        self._write_event(event, hook, data, task=task, more=more)

    # The playbook

    def v2_playbook_on_start(self, playbook):
        identifier = random_uuid()
        self._playbook_data = {"playbook": os.path.basename(playbook._file_name), "playbook_uuid": identifier}
        self._contexts = {}
        self._write_event("playbook_on_start", partial(super().v2_playbook_on_start, playbook), event_uuid=identifier)

    def v2_playbook_on_vars_prompt(
        self,
        varname,
        private=True,
        prompt=None,
        encrypt=None,
        confirm=False,
        salt_size=None,
        salt=None,
        default=None,
        unsafe=None,
    ):
        data = {
            "varname": varname,
            "private": private,
            "prompt": prompt,
            "encrypt": encrypt,
            "confirm": confirm,
            "salt_size": salt_size,
            "salt": CENSORED if salt else salt,
            "default": CENSORED if private else default,
        }
        self._write_event(
            "playbook_on_vars_prompt",
            partial(
                super().v2_playbook_on_vars_prompt,
                varname,
                private,
                prompt,
                encrypt,
                confirm,
                salt_size,
                salt,
                default,
                unsafe,
            ),
            data,
        )

    def v2_playbook_on_include(self, included_file):
        self._write_event(
            "playbook_on_include",
            partial(super().v2_playbook_on_include, included_file),
            {"included_file": getattr(included_file, "_filename", str(included_file))},
        )

    def v2_playbook_on_play_start(self, play):
        identifier = str(play._uuid)
        pattern = play.hosts if isinstance(play.hosts, str) else ",".join(play.hosts)
        name = play.get_name().strip() or pattern
        self._current_task, self._tasks, self._contexts, self._begun = {}, {}, {}, {}
        starts = self._starts[identifier] = self._starts.get(identifier, 0) + 1
        self._play_data = {"play": name, "play_uuid": identifier, "play_pattern": pattern}
        if IS_AD_HOC:
            # As in AWX: the command has no plays and tasks of its own.
            return
        self._write_event(
            "playbook_on_play_start",
            partial(super().v2_playbook_on_play_start, play),
            {"name": name, "pattern": pattern},
            parent=self._playbook_data.get("playbook_uuid"),
            event_uuid=identifier if starts == 1 else "%s_%d" % (identifier, starts),
        )

    def v2_playbook_on_no_hosts_matched(self):
        self._write_event("playbook_on_no_hosts_matched", super().v2_playbook_on_no_hosts_matched)

    def v2_playbook_on_no_hosts_remaining(self):
        self._write_event("playbook_on_no_hosts_remaining", super().v2_playbook_on_no_hosts_remaining)

    def v2_playbook_on_notify(self, handler, host):
        self._write_event(
            "playbook_on_notify",
            partial(super().v2_playbook_on_notify, handler, host),
            {"host": str(host), "handler": handler.get_name()},
        )

    def v2_playbook_on_stats(self, stats):
        self._current_task, self._play_data, self._contexts = {}, {}, {}
        data = {
            name: dict(getattr(stats, name))
            for name in ("changed", "dark", "failures", "ignored", "ok", "processed", "rescued", "skipped")
        }
        data["artifact_data"] = stats.custom.get("_run", {})
        self._write_event("playbook_on_stats", partial(super().v2_playbook_on_stats, stats), data)

    # Tasks

    def _write_task_start(self, hook, task, is_conditional):
        self._current_task = self._data_of_task(task)
        if IS_AD_HOC:
            return
        identifier = self._current_task["task_uuid"]
        starts = self._starts[identifier] = self._starts.get(identifier, 0) + 1
        name = task.get_name().strip()
        self._write_event(
            "playbook_on_task_start",
            hook,
            {"name": name, "is_conditional": is_conditional},
            event_uuid=identifier if starts == 1 else "%s_%d" % (identifier, starts),
            parent=self._play_data.get("play_uuid"),
        )

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._write_task_start(partial(super().v2_playbook_on_task_start, task, is_conditional), task, is_conditional)

    def v2_playbook_on_cleanup_task_start(self, task):
        self._write_task_start(partial(super().v2_playbook_on_cleanup_task_start, task), task, True)

    def v2_playbook_on_handler_task_start(self, task):
        # AWX has no type of event for handlers.
        self._write_task_start(partial(super().v2_playbook_on_handler_task_start, task), task, True)

    # Results

    def v2_runner_on_start(self, host, task):
        name = host.get_name()
        self._begun[(name, str(task._uuid))] = now()
        self._write_event("runner_on_start", partial(super().v2_runner_on_start, host, task), {"host": name}, task=task)

    def v2_runner_on_ok(self, result):
        self._write_result("runner_on_ok", partial(super().v2_runner_on_ok, result), result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write_result(
            "runner_on_failed",
            partial(super().v2_runner_on_failed, result, ignore_errors),
            result,
            ignore_errors=ignore_errors,
        )

    def v2_runner_on_skipped(self, result):
        self._write_result("runner_on_skipped", partial(super().v2_runner_on_skipped, result), result, with_res=False)

    def v2_runner_on_unreachable(self, result):
        self._write_result("runner_on_unreachable", partial(super().v2_runner_on_unreachable, result), result)

    def v2_runner_on_async_poll(self, result):
        self._write_result(
            "runner_on_async_poll",
            partial(super().v2_runner_on_async_poll, result),
            result,
            final=False,
            jid=result._result.get("ansible_job_id"),
        )

    def v2_runner_on_async_ok(self, result):
        self._write_result(
            "runner_on_async_ok",
            partial(super().v2_runner_on_async_ok, result),
            result,
            final=False,
            jid=result._result.get("ansible_job_id"),
        )

    def v2_runner_on_async_failed(self, result):
        self._write_result(
            "runner_on_async_failed",
            partial(super().v2_runner_on_async_failed, result),
            result,
            final=False,
            jid=result._result.get("ansible_job_id"),
        )

    def v2_runner_item_on_ok(self, result):
        self._write_result("runner_item_on_ok", partial(super().v2_runner_item_on_ok, result), result, final=False)

    def v2_runner_item_on_failed(self, result):
        self._write_result(
            "runner_item_on_failed", partial(super().v2_runner_item_on_failed, result), result, final=False
        )

    def v2_runner_item_on_skipped(self, result):
        self._write_result(
            "runner_item_on_skipped", partial(super().v2_runner_item_on_skipped, result), result, final=False
        )

    def v2_runner_retry(self, result):
        self._write_result("runner_retry", partial(super().v2_runner_retry, result), result, final=False)

    def v2_on_file_diff(self, result):
        # AWX's type of event.
        self._write_event(
            "runner_on_file_diff",
            partial(super().v2_on_file_diff, result),
            {"host": result._host.get_name()},
            task=result._task,
            more='"diff": %s, ' % to_limited_json(result._result.get("diff")),
        )
