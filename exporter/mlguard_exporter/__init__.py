"""The daemon `mlguard-exporter`: AWS spend as metrics, and a relay of alerts through Apprise.

From AWS to /metrics:

    sources/     read spend: a folder for each cloud, behind the protocol `CostSource`
    spend/       what a source reports, and the store of every day
    polling/     when each account is read
    spikes/      one series: which days are spikes
    analysis/    an account: anomalies, what they are attributed to, transfers, the forecast
    anomaly_log  which spikes were reported
    exposition/  metric definitions, figures, and the collector
    setup/       the commands check, activate-tags and backfill
    export       the command export
    relay        Alertmanager's webhook, and alerts posted as to an Alertmanager
"""
