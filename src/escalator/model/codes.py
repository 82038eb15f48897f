"""The catalogue of error codes: `ESC-<BLOCK>-<nnn>`, stable for ever once released.

A code is never reused for another meaning. The reference page of error codes is generated from this table.
"""

from __future__ import annotations

from enum import Enum


class Code(Enum):
    """Each member's value is the code that people see; the comment behind it says what it means."""

    # Upgrade Manager
    UPG_NOT_FOUND = "ESC-UPG-001"  # no campaign, plan or node task of that name
    UPG_STATE = "ESC-UPG-002"  # the campaign's state does not allow this action
    UPG_ONE_RUNNING = "ESC-UPG-003"  # another campaign is running on this cloud
    UPG_DRIFT = "ESC-UPG-004"  # the cloud changed since the plan, beyond what was approved
    UPG_STEP_FAILED = "ESC-UPG-005"  # a step of a node failed for a reason without a code of its own
    UPG_UNDO_FAILED = "ESC-UPG-006"  # an undo failed; the node needs a person
    UPG_TIMEOUT = "ESC-UPG-007"  # a step did not end within its time-out
    UPG_LESS_OFFERED = "ESC-UPG-008"  # after the upgrade the node offers less than before
    UPG_NO_TARGET = "ESC-UPG-009"  # no node can take an instance that has to leave
    UPG_INSTANCE_LEFT = "ESC-UPG-010"  # an instance that has to leave is still on the node
    UPG_REJECTED = "ESC-UPG-011"  # a VNF manager refused
    UPG_SILENT = "ESC-UPG-012"  # a VNF manager did not answer and policy skips or pauses
    UPG_UNDELIVERABLE = "ESC-UPG-013"  # a notice could not be delivered
    UPG_FAILURES = "ESC-UPG-014"  # more nodes failed than the campaign allows
    UPG_ABORTED = "ESC-UPG-015"  # the campaign was aborted
    UPG_SKIPPED = "ESC-UPG-016"  # the node was skipped
    UPG_NO_PLAN = "ESC-UPG-017"  # the campaign has no plan yet
    UPG_DUPLICATE = "ESC-UPG-018"  # a campaign of that name exists
    UPG_HOST_FAILURE = "ESC-UPG-019"  # an unplanned host failure holds new work back
    UPG_MOVE_FAILED = "ESC-UPG-020"  # an instance could not be moved after all retries
    UPG_STUCK_INSTANCE = "ESC-UPG-021"  # an instance on the node is in a state that needs a person
    UPG_GIVEN_BACK = "ESC-UPG-022"  # a person put the node back in service in the middle of its turn
    UPG_NO_ROOM = "ESC-UPG-023"  # nodes that are out of service leave no room for another
    UPG_NO_TURN = "ESC-UPG-024"  # the plan for the rest of a campaign has no turn for a node
    UPG_BUDGET = "ESC-UPG-025"  # a group was impacted beyond its limit for longer than its budget allows
    UPG_AT_WORK = "ESC-UPG-026"  # a lifecycle operation of a VNF on the node did not end in time

    # Planner
    PLN_SCOPE = "ESC-PLN-001"  # the scope selects no node
    PLN_NODE_STATE = "ESC-PLN-002"  # a node is down or in maintenance for someone else's reason
    PLN_CAPACITY = "ESC-PLN-003"  # not enough room for the instances that have to move
    PLN_PINNED = "ESC-PLN-004"  # an instance can neither move nor stay
    PLN_INSTANCE_STATE = "ESC-PLN-005"  # an instance's state blocks its move
    PLN_GROUP = "ESC-PLN-006"  # a group's limits cannot hold
    PLN_VIOLATION = "ESC-PLN-007"  # the plan breaks an invariant
    PLN_DOCUMENT = "ESC-PLN-008"  # the plan document is not valid
    PLN_WINDOW = "ESC-PLN-009"  # the maintenance windows are too short or too few
    PLN_RESERVE = "ESC-PLN-010"  # the reserve of hosts or a spread rule leaves no room
    PLN_RETURN = "ESC-PLN-011"  # instances that a rollback could not bring back by live migration
    PLN_MITIGATION = "ESC-PLN-012"  # an instance that has to have a replacement first would stay on its node
    PLN_OWNERS = "ESC-PLN-013"  # VNF managers that would be asked do not answer
    PLN_V_NODES = "ESC-PLN-101"  # verify: a node stands in both lists or in none, twice, or is not in scope
    PLN_V_STATE = "ESC-PLN-102"  # verify: a node is upgraded that is out of service or upgraded already
    PLN_V_DURATION = "ESC-PLN-103"  # verify: something does not last as estimated
    PLN_V_ORIGIN = "ESC-PLN-104"  # verify: an instance is not where it is moved from, or moves twice at once
    PLN_V_KIND = "ESC-PLN-105"  # verify: an instance cannot be moved that way
    PLN_V_TARGET = "ESC-PLN-106"  # verify: an instance may not be on its target
    PLN_V_EXTRA = "ESC-PLN-107"  # verify: a move goes to a node not upgraded without saying so, or there are too many of these
    PLN_V_CAPACITY = "ESC-PLN-108"  # verify: a NUMA entry is over-full
    PLN_V_AFFINITY = "ESC-PLN-109"  # verify: an affinity or anti-affinity policy does not hold
    PLN_V_UNAVAILABLE = "ESC-PLN-110"  # verify: too many nodes out of service at once
    PLN_V_RESERVE = "ESC-PLN-111"  # verify: the reserve of empty hosts does not hold
    PLN_V_CONCURRENCY = "ESC-PLN-112"  # verify: too many moves at once
    PLN_V_STAY = "ESC-PLN-113"  # verify: an instance is left on a node that is upgraded, and nothing allows it
    PLN_V_GROUP = "ESC-PLN-114"  # verify: too many members of a group impacted at once, or too close together
    PLN_V_LEAD = "ESC-PLN-115"  # verify: an impact comes before the lead time, or work before the plan's own start
    PLN_V_WINDOW = "ESC-PLN-116"  # verify: a turn does not fit into its maintenance window
    PLN_V_REPORT = "ESC-PLN-117"  # verify: what the plan says of itself does not hold

    # VIM Interface
    VIM_NOT_FOUND = "ESC-VIM-001"  # no VNF manager, notice or reply address of that name
    VIM_DUPLICATE = "ESC-VIM-002"  # a VNF manager of that name exists
    VIM_UNREACHABLE = "ESC-VIM-003"  # the VNF manager's address does not answer
    VIM_CREDENTIALS = "ESC-VIM-004"  # the VNF manager refused our credentials
    VIM_REFUSED = "ESC-VIM-005"  # the VNF manager answered the delivery with an error
    VIM_LATE = "ESC-VIM-006"  # the reply came after its deadline
    VIM_SUPERSEDED = "ESC-VIM-007"  # a different reply to this notice was accepted before
    VIM_REPLY = "ESC-VIM-008"  # the reply's body is not valid
    VIM_REGISTRATION = "ESC-VIM-009"  # the VNF manager's registration is not valid
    VIM_CREDENTIAL_FILE = "ESC-VIM-010"  # the named credential cannot be read
    VIM_FOREIGN = "ESC-VIM-011"  # the caller's token is not bound to the project that this belongs to
    VIM_NEIGHBOUR = "ESC-VIM-012"  # a neighbour could not be told that a host is in maintenance, or back
    VIM_ALARM = "ESC-VIM-013"  # an alarm that a VNF manager registers is not valid, or one too many
    VIM_NO_ALARM = "ESC-VIM-014"  # a VNF manager that is told per instance has no alarm for one
    VIM_ORCHESTRATOR = "ESC-VIM-015"  # an orchestrator does not answer; it is told later, and nothing waits for it
    VIM_NOT_TOLD = "ESC-VIM-016"  # an orchestrator was not told something, and it is not tried any more
    VIM_SUBSCRIPTION = "ESC-VIM-017"  # the subscription is not valid, or its address does not answer as it has to
    VIM_SUBSCRIBED = "ESC-VIM-018"  # the VNF manager has a subscription, or what it asks for belongs to another one

    # Cloud Manager
    CLD_UNREACHABLE = "ESC-CLD-001"  # the cloud's API does not answer
    CLD_CREDENTIALS = "ESC-CLD-002"  # the cloud refused our credentials
    CLD_FORBIDDEN = "ESC-CLD-003"  # our user lacks a role for this call
    CLD_NOT_FOUND = "ESC-CLD-004"  # no such node or instance in the cloud
    CLD_REFUSED = "ESC-CLD-005"  # the cloud refused the request
    CLD_FOREIGN_CORDON = "ESC-CLD-006"  # the node is disabled for someone else's reason
    CLD_NO_VALID_HOST = "ESC-CLD-007"  # the cloud found the named target unfit
    CLD_BUSY = "ESC-CLD-008"  # the instance is busy with another task
    CLD_CONFIG = "ESC-CLD-009"  # the cloud's configuration is missing or wrong

    # System Support
    SYS_UNREACHABLE = "ESC-SYS-001"  # the node does not answer over SSH
    SYS_HOST_KEY = "ESC-SYS-002"  # the node's host key is unknown or has changed
    SYS_CREDENTIALS = "ESC-SYS-003"  # the node refused our key
    SYS_STAGE = "ESC-SYS-004"  # the release could not be staged on the node
    SYS_BACKUP = "ESC-SYS-005"  # the backup could not be taken
    SYS_INSTALL = "ESC-SYS-006"  # the installer ended with an error
    SYS_PACKAGES = "ESC-SYS-007"  # packages are not in the state that the release names
    SYS_DAEMON = "ESC-SYS-008"  # the running daemon is not of the release's version
    SYS_HEALTH = "ESC-SYS-009"  # the node's health check fails
    SYS_REBOOT = "ESC-SYS-010"  # the node did not come back from its reboot
    SYS_OPERATION = "ESC-SYS-011"  # an operation on the node is unknown or was lost
    SYS_ROLLBACK = "ESC-SYS-012"  # the node could not be put back on its old version
    SYS_RELEASE = "ESC-SYS-013"  # the release is not valid
    SYS_RELEASE_NOT_FOUND = "ESC-SYS-014"  # no such release
    SYS_RELEASE_EXISTS = "ESC-SYS-015"  # the release exists with other content
    SYS_UNSUPPORTED = "ESC-SYS-016"  # the driver cannot do this
    SYS_COMMAND = "ESC-SYS-017"  # the operator's command failed
    SYS_CONFIG = "ESC-SYS-018"  # the driver's configuration is missing or wrong

    # Storage
    STO_UNAVAILABLE = "ESC-STO-001"  # the database does not answer
    STO_SCHEMA = "ESC-STO-002"  # the database's schema is newer than this Escalator
    STO_LOCKED = "ESC-STO-003"  # another server uses this state directory
    STO_FILE = "ESC-STO-004"  # the database's file cannot be used

    # API
    API_BODY = "ESC-API-001"  # the request's body is not valid
    API_TOKEN = "ESC-API-002"  # noqa: S105 - a code; the bearer token is missing or wrong
    API_HOST = "ESC-API-003"  # the Host or Origin header names another site
    API_TOO_LARGE = "ESC-API-004"  # the request is too large
    API_NOT_FOUND = "ESC-API-005"  # no such resource
    API_UNREACHABLE = "ESC-API-006"  # the server does not answer
    API_TIMEOUT = "ESC-API-007"  # what was waited for did not happen in time
    API_INTERNAL = "ESC-API-008"  # an internal error; the log has the details
    API_METHOD = "ESC-API-009"  # the resource does not know this method
    API_PORT = "ESC-API-010"  # a listener's address cannot be bound

    # Configuration and documents
    CFG_SETTINGS = "ESC-CFG-001"  # the settings are not valid
    CFG_DOCUMENT = "ESC-CFG-002"  # the document is not valid
    CFG_FILE = "ESC-CFG-003"  # the file cannot be read
    CFG_TOO_LARGE = "ESC-CFG-004"  # the document is larger or deeper than allowed
    CFG_UNSUPPORTED = "ESC-CFG-005"  # the document asks for what is not supported yet
    CFG_USAGE = "ESC-CFG-006"  # options of a command that do not go together
